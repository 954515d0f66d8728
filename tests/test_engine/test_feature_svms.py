from types import SimpleNamespace

import numpy as np
import pytest
import torch

from imcnn_plugin.engine.feature_svms import _fit_attributes, _layers
from imcnn_plugin.models import IdentityHead


def test_predictions_do_not_depend_on_what_the_process_drew_before():
    """With fewer images than features, LIBLINEAR visits the images in random order and stops at a tolerance."""
    pytest.importorskip('sklearn')
    draw = np.random.default_rng(0)
    sizes = dict(train=40, val=20, test=30)
    features = {split: draw.normal(size=(size, 300)).astype(np.float32) for split, size in sizes.items()}
    targets = {split: draw.integers(0, 2, (size, 5)) for split, size in sizes.items()}
    found = []
    for seed in (0, 1):
        np.random.seed(seed)
        found.append(_fit_attributes({split: dict(fc=x) for split, x in features.items()}, targets)[0])
    assert np.array_equal(*found)


def test_a_network_that_returns_a_vector_has_one_layer():
    vectors, maps = torch.randn(4, 6), torch.randn(4, 6, 5, 5)
    found = _layers(None, (maps, vectors))
    assert list(found) == ['features'] and found['features'] is vectors
    head = IdentityHead(num_identities=3, in_channels=6, embedding_dims=2)
    found = _layers(SimpleNamespace(head=head), (maps,))
    assert {layer: tuple(x.shape) for layer, x in found.items()} == dict(
        conv_3x3=(4, 54), conv_1x1=(4, 6), fc1=(4, 2), fc2=(4, 3)
    )
