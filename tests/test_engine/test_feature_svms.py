import numpy as np
import pytest

from imcnn_plugin.engine.feature_svms import _fit_attributes


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
