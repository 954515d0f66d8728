"""What the heads take of the backbones of mmpretrain, and sizes that no model can have."""

import pytest
import torch
from backbones import BACKBONES, classifier
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.models import flatten_features

GROUPS = [dict(name='all', labels=['a', 'b'])]


@pytest.mark.parametrize(
    'out_type, layout', [('cls_token', None), ('avg_featmap', None), ('featmap', None), ('raw', 'NLC')]
)
def test_vectors_maps_and_tokens_train_the_head(out_type, layout):
    [vit] = [backbone for backbone in BACKBONES if backbone.name == 'VisionTransformer']
    model = classifier(dict(type=vit.name, **vit.small, out_type=out_type), vit.small_channels, layout=layout)
    logits = model(torch.randn(2, 3, vit.side, vit.side))
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert model.backbone.patch_embed.projection.weight.grad.abs().sum() > 0


def test_the_two_vectors_of_a_conformer_are_joined():
    convolutions, token = torch.randn(2, 2, 5), torch.randn(2, 2, 3)
    feats = ([convolutions[0], token[0]], [convolutions[1], token[1]])
    x = flatten_features(feats, 8)[:, :, 0]
    assert torch.equal(x[:, :5], convolutions[1]) and torch.equal(x[:, 5:], token[1])


@pytest.mark.parametrize(
    'feats, found',
    [
        (dict(x=torch.ones(2, 8)), 'dict'),
        ((torch.ones(2, 8), None), 'tuple of (2, 8), NoneType'),
        (([torch.ones(2, 8), torch.ones(2, 8, 3, 3)],), 'tuple of list of (2, 8), (2, 8, 3, 3)'),
        ((), 'tuple of nothing'),
        (torch.ones(8), '(8,)'),
    ],
)
def test_other_outputs_are_one_line(feats, found):
    with pytest.raises(ConfigError) as error:
        flatten_features(feats, 8)
    assert f'the backbone returns {found}: the last item must be one tensor' in str(error.value)
    assert '\n' not in str(error.value)


HEAD = dict(type='GroupedMultiLabelHead', classes=['a', 'b'], groups=GROUPS, in_channels=8)
IDENTITY = dict(type='IdentityHead', num_identities=4, in_channels=8)


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(HEAD, in_channels=0), 'in_channels is 0, expected a positive integer'),
        (dict(HEAD, in_channels=8.0), 'in_channels is 8.0, expected'),
        (dict(HEAD, num_slices=0), 'num_slices is 0, expected'),
        (dict(HEAD, hidden_dims=(4, 0)), r'hidden_dims is \(4, 0\), expected positive integers'),
        (dict(HEAD, in_size=(0, 2)), r'in_size is \(0, 2\), expected'),
        (dict(HEAD, classes=[], groups=[]), 'classes is empty'),
        (dict(HEAD, groups=[*GROUPS, dict(name='none', labels=[])]), r"groups without labels: \['none'\]"),
        (dict(IDENTITY, num_identities=0), 'num_identities is 0, expected'),
        (dict(IDENTITY, in_channels=0), 'in_channels is 0, expected'),
        (dict(IDENTITY, embedding_dims=0), 'embedding_dims is 0, expected'),
        (dict(type='IMCNN', width=0.001), r'the channels of width=0.001 is \[0, 0, 0, 0, 0, 1\], expected'),
        (dict(type='IMCNN', num_slices=0), 'num_slices is 0, expected'),
        (dict(type='MCNN', width=0), r'the filters of width=0 is \[0, 0, 0\], expected'),
        (dict(type='IMCNNDense', growth_rate=0), 'growth_rate is 0, expected'),
        (dict(type='IMCNNDense', num_slices=0), 'num_slices is 0, expected'),
        (dict(type='MaxoutDenseNeck', in_channels=0), 'in_channels is 0, expected'),
        (dict(type='MaxoutDenseNeck', in_channels=8, num_layers=0), 'num_layers is 0, expected'),
    ],
)
def test_sizes_of_zero_are_one_line(settings, message):
    with DefaultScope.overwrite_default_scope('mmpretrain'), pytest.raises(ConfigError, match=message):
        MODELS.build(settings)
