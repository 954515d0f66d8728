import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from imcnn_plugin.errors import ConfigError


def build_head(**kwargs):
    return MODELS.build(
        dict(type='mmpretrain.IdentityHead', num_identities=7, in_channels=6, in_size=(2, 2), **kwargs)
    )


@pytest.mark.parametrize('embedding_dims, weights', [(5, 24 * 5 + 5 + 5 * 7 + 7), (None, 24 * 7 + 7)])
def test_maps_the_merged_feature_to_identities(embedding_dims, weights):
    head = build_head(embedding_dims=embedding_dims)
    assert head((torch.randn(3, 6, 2, 2),)).shape == (3, 7)
    assert sum(parameter.numel() for parameter in head.parameters()) == weights


def test_loss_takes_identities_as_the_pipeline_packs_them():
    """Python integers of single samples, or a stacked tensor."""
    head = build_head()
    feats = (torch.randn(3, 6, 2, 2),)
    singles = [DataSample(gt_identity=identity) for identity in (4, -1, 6)]
    stacked = DataSample(gt_identity=torch.tensor([4, -1, 6]))
    assert head.loss(feats, singles)['loss_id'] == head.loss(feats, stacked)['loss_id']


def test_says_how_identities_get_into_the_samples():
    with pytest.raises(ConfigError, match=r"PackInputs\(algorithm_keys=\('gt_identity', \)\)"):
        build_head().loss((torch.randn(1, 6, 2, 2),), [DataSample()])
