import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from imcnn_plugin.evaluation.calibration import calibration_errors, reliability


@pytest.mark.parametrize('bins', [10, 15])
def test_bins_are_those_of_scikit_learn(bins):
    rng = np.random.default_rng(0)
    # No probability is between 0.4 and 0.7.
    p = np.where(rng.random((500, 4)) < 0.5, 0.4 * rng.random((500, 4)), 0.7 + 0.3 * rng.random((500, 4)))
    targets = (rng.random((500, 4)) < p**2).astype(int)
    targets[rng.random((500, 4)) < 0.2] = -1
    known = targets >= 0
    found = reliability(p, targets, bins)
    happened, promised = calibration_curve(targets[known], p[known], n_bins=bins)
    filled = found.count > 0
    assert found.count.sum() == known.sum() and 0 < (~filled).sum()
    np.testing.assert_allclose(found.promised[filled], promised)
    np.testing.assert_allclose(found.happened[filled], happened)
    assert np.isnan(found.promised[~filled]).all() and np.isnan(found.happened[~filled]).all()


def test_the_expected_calibration_error_is_the_mean_distance_in_the_diagram():
    rng = np.random.default_rng(1)
    p, targets = rng.random((300, 1)), rng.integers(-1, 2, (300, 1))
    bins = reliability(p, targets)
    distance = np.abs(bins.promised - bins.happened)
    error = 100 * (distance * bins.count).sum() / bins.count.sum()
    assert calibration_errors(p, targets)[0] == pytest.approx([error])


def test_a_probability_of_one_is_in_the_last_bin():
    assert reliability(np.array([[0.0, 1.0]]), np.array([[0, 1]])).count.tolist() == [1] + 13 * [0] + [1]
