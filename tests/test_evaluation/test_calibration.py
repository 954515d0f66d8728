import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from imcnn_plugin.evaluation.calibration import (
    CRITERIA,
    _best_threshold,
    _fit_offsets,
    calibration_errors,
    fit_temperature,
    fit_thresholds,
    perfect_calibration_error,
    reliability,
    sigmoid,
)

SCORES = dict(accuracy=accuracy_score, balanced_accuracy=balanced_accuracy_score, f1=f1_score)


def draw(num, seed, temperature=1.0, offsets=(-2.0, -0.5, 0.0, 2.0)):
    """Logits that are off by a temperature and offsets, and labels."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, (num, len(offsets))) + np.array([-3.0, -1.0, 0.0, 2.0])
    targets = (rng.random(odds.shape) < sigmoid(odds)).astype(np.int8)
    return temperature * (odds - np.array(offsets)), targets


def test_temperature_has_the_maximum_likelihood():
    logits, targets = draw(300, seed=0, temperature=2.5, offsets=np.zeros(4))
    targets[::7, 1] = -1
    known = targets >= 0
    oracle = minimize_scalar(
        lambda log: log_loss(targets[known], sigmoid(logits[known] / np.exp(log))),
        bounds=(-3, 3),
        method='bounded',
        options=dict(xatol=1e-8),
    )
    assert fit_temperature(logits, targets) == pytest.approx(np.exp(oracle.x), rel=1e-4)
    assert np.exp(oracle.x) == pytest.approx(2.5, rel=0.15)


@pytest.mark.parametrize('flip, limit', [(1, 0.05), (-1, 20)])
def test_temperature_stays_in_its_limits(flip, limit):
    logits = np.array([[-3.0], [-1.0], [2.0]])
    assert fit_temperature(flip * logits, np.array([[0], [0], [1]])) == pytest.approx(limit)


def test_unknown_labels_change_nothing():
    logits, targets = np.zeros((4, 2)), np.full((4, 2), -1)
    assert fit_temperature(logits, targets) == 1
    assert _fit_offsets(logits, targets) == pytest.approx([0, 0])
    assert [fit_thresholds(logits, targets, name).tolist() for name in CRITERIA] == 3 * [[0.5, 0.5]]


@pytest.mark.parametrize('std', [0.1, 1.0])
def test_offsets_are_maximum_a_posteriori(std):
    logits, targets = draw(200, seed=1)
    targets[::3, 2] = -1
    for i, offset in enumerate(_fit_offsets(logits, targets, std)):
        known = targets[:, i] >= 0

        def loss(x, known=known, i=i):
            entropy = np.logaddexp(0, logits[known, i] + x) - targets[known, i] * (logits[known, i] + x)
            return entropy.sum() + x**2 / (2 * std**2)

        oracle = minimize_scalar(loss, bounds=(-9, 9), method='bounded', options=dict(xatol=1e-9))
        assert offset == pytest.approx(oracle.x, abs=1e-5)


@pytest.mark.parametrize('criterion', CRITERIA)
def test_thresholds_are_nearly_optimal_on_other_images(criterion):
    # With many images the prior has little weight.
    logits, targets = draw(12000, seed=2, offsets=(-0.3, 0.2, 0.0, 0.3))
    others, labels = draw(12000, seed=3, offsets=(-0.3, 0.2, 0.0, 0.3))
    probabilities = sigmoid(others)
    for i, threshold in enumerate(fit_thresholds(logits, targets, criterion)):

        def score(threshold, i=i):
            return SCORES[criterion](labels[:, i], probabilities[:, i] >= threshold)

        best = max(score(candidate) for candidate in np.linspace(0.02, 0.98, 49))
        assert score(threshold) > best - 4e-3
        assert score(threshold) > score(0.5) - 2e-3


@pytest.mark.parametrize('criterion', CRITERIA)
def test_best_threshold_is_optimal_in_expectation(criterion):
    probabilities = np.random.default_rng(4).beta(0.5, 1.5, 400)
    threshold = _best_threshold(probabilities, criterion)

    def expected(threshold):
        on = probabilities >= threshold
        tp, fp = probabilities[on].sum(), (1 - probabilities[on]).sum()
        fn, tn = probabilities[~on].sum(), (1 - probabilities[~on]).sum()
        if criterion == 'accuracy':
            return tp + tn
        return 2 * tp / (2 * tp + fp + fn) if criterion == 'f1' else tp / (tp + fn) + tn / (tn + fp)

    assert expected(threshold) == pytest.approx(max(expected(p) for p in probabilities))


def test_threshold_of_a_label_with_few_images_stays_near_one_half():
    logits, targets = draw(30, seed=5, offsets=(1.0, 1.0, 1.0, 1.0))
    assert fit_thresholds(logits, targets, 'accuracy') == pytest.approx(np.full(4, 0.5), abs=0.05)
    targets[:, 0] = 0
    for criterion in CRITERIA:
        assert fit_thresholds(logits, targets, criterion)[0] == 0.5


def test_calibration_errors_agree_with_scikit_learn():
    rng = np.random.default_rng(6)
    probabilities = rng.random((500, 4)).astype(np.float32)
    targets = (rng.random((500, 4)) < probabilities**2).astype(np.int8)
    targets[rng.random((500, 4)) < 0.1] = -1
    targets[:, 3] = -1
    probabilities[0, 0], targets[0, 0] = 1, 1
    errors, likelihoods = calibration_errors(probabilities, targets)
    for i in range(3):
        known = targets[:, i] >= 0
        p, y = probabilities[known, i], targets[known, i]
        share, mean = calibration_curve(y, p, n_bins=15)
        counts = np.histogram(p, 15, (0, 1))[0]
        assert errors[i] == pytest.approx(100 * (np.abs(share - mean) * counts[counts > 0]).sum() / len(p), rel=1e-5)
        assert likelihoods[i] == pytest.approx(log_loss(y, p), rel=1e-5)
    assert np.isnan(errors[3]) and np.isnan(likelihoods[3])


@pytest.mark.parametrize('num', [50, 5000])
def test_perfect_calibration_error_is_that_of_a_calibrated_model(num):
    rng = np.random.default_rng(7)
    probabilities = rng.beta(1, 2, (num, 6))
    targets = (rng.random((num, 6)) < probabilities).astype(np.int8)
    error = perfect_calibration_error(probabilities, targets)
    assert error == pytest.approx(calibration_errors(probabilities, targets)[0].mean(), rel=0.2)
    # The error is larger with fewer known labels.
    targets[num // 4 :] = -1
    assert perfect_calibration_error(probabilities, targets) > 1.4 * error


def test_the_last_bin_includes_probability_1_but_not_its_neighbor():
    errors, _ = calibration_errors(np.array([[0.9], [1.0]]), np.array([[1], [0]]))
    assert errors[0] == pytest.approx(100 * (0.1 + 1.0) / 2)


def test_a_certain_error_has_a_large_finite_likelihood():
    _, likelihoods = calibration_errors(np.array([[0.0], [1.0]]), np.array([[1], [1]]))
    assert 100 < likelihoods[0] < 1000


@pytest.mark.parametrize('bins', [10, 15])
def test_bins_are_those_of_scikit_learn(bins):
    rng = np.random.default_rng(0)
    # No probability is between 0.4 and 0.7.
    p = np.where(rng.random((500, 4)) < 0.5, 0.4 * rng.random((500, 4)), 0.7 + 0.3 * rng.random((500, 4)))
    targets = (rng.random((500, 4)) < p**2).astype(int)
    targets[rng.random((500, 4)) < 0.2] = -1
    known = targets >= 0
    found = reliability(p, targets, bins)
    accuracy, confidence = calibration_curve(targets[known], p[known], n_bins=bins)
    filled = found.count > 0
    assert found.count.sum() == known.sum() and 0 < (~filled).sum()
    np.testing.assert_allclose(found.confidence[filled], confidence)
    np.testing.assert_allclose(found.accuracy[filled], accuracy)
    assert np.isnan(found.confidence[~filled]).all() and np.isnan(found.accuracy[~filled]).all()


def test_expected_calibration_error_is_the_mean_distance_in_the_diagram():
    rng = np.random.default_rng(1)
    p, targets = rng.random((300, 1)), rng.integers(-1, 2, (300, 1))
    bins = reliability(p, targets)
    distance = np.abs(bins.confidence - bins.accuracy)
    error = 100 * (distance * bins.count).sum() / bins.count.sum()
    assert calibration_errors(p, targets)[0] == pytest.approx([error])


def test_probability_one_is_in_the_last_bin():
    assert reliability(np.array([[0.0, 1.0]]), np.array([[0, 1]])).count.tolist() == [1] + 13 * [0] + [1]
