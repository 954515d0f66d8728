import numpy as np
import pytest

from imcnn_plugin.apis.identity_predictions import _least_consistent_identity
from imcnn_plugin.errors import DataError


def find(identities):
    """Identities as ``{identity: [(label, probability), ...]}``, one after the other."""
    table = np.array([(identity, *pair) for identity, pairs in identities.items() for pair in pairs], float)
    return _least_consistent_identity(table[:, 1], table[:, 0].astype(int), lambda rows: table[rows, 2] >= 0.5, 8)


def test_finds_the_identity_on_which_a_model_is_least_consistent():
    stable, split = [(1, 0.9)] * 4, [(1, 0.9), (1, 0.1)] * 2
    assert find({1: stable, 2: split, 3: stable}) == 2
    assert find({1: [(0, 0.6), *[(0, 0.4)] * 3], 2: split, 3: stable}) == 2
    # Labels that differ, too few images, an unknown label, an unknown identity.
    disagreeing = [(1, 0.9), (0, 0.1)] * 2
    unknown = [(-1, 0.9), (-1, 0.1)] * 2
    assert find({-1: split, 1: disagreeing, 2: split[:3], 3: unknown, 4: stable}) == 4
    # Of two, the one with more images; only the images that are shown count.
    assert find({1: split, 2: split * 2, 3: split}) == 2
    assert find({1: stable * 2 + split * 4, 2: [*stable, (1, 0.2)]}) == 2
    with pytest.raises(DataError, match='no identity has 4 images with the same label'):
        find({1: split[:3]})
