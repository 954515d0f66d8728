import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from imcnn_plugin.evaluation.calibration import (
    CRITERIA,
    best_threshold,
    calibration_errors,
    error_by_chance,
    fit_offsets,
    fit_temperature,
    fit_thresholds,
    sigmoid,
)

SCORES = dict(accuracy=accuracy_score, balanced_accuracy=balanced_accuracy_score, f1=f1_score)


def draw(num, seed, temperature=1.0, offsets=(-2.0, -0.5, 0.0, 2.0)):
    """Logits that are wrong by a temperature and offsets, and labels."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, (num, len(offsets))) + np.array([-3.0, -1.0, 0.0, 2.0])
    targets = (rng.random(odds.shape) < sigmoid(odds)).astype(np.int8)
    return temperature * (odds - np.array(offsets)), targets


def test_temperature_is_the_most_likely_one():
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


def test_nothing_known_changes_nothing():
    logits, targets = np.zeros((4, 2)), np.full((4, 2), -1)
    assert fit_temperature(logits, targets) == 1
    assert fit_offsets(logits, targets) == pytest.approx([0, 0])
    assert [fit_thresholds(logits, targets, name).tolist() for name in CRITERIA] == 3 * [[0.5, 0.5]]


@pytest.mark.parametrize('spread', [0.1, 1.0])
def test_offsets_are_the_most_probable_ones(spread):
    logits, targets = draw(200, seed=1)
    targets[::3, 2] = -1
    for i, offset in enumerate(fit_offsets(logits, targets, spread)):
        known = targets[:, i] >= 0

        def loss(x, known=known, i=i):
            entropy = np.logaddexp(0, logits[known, i] + x) - targets[known, i] * (logits[known, i] + x)
            return entropy.sum() + x**2 / (2 * spread**2)

        oracle = minimize_scalar(loss, bounds=(-9, 9), method='bounded', options=dict(xatol=1e-9))
        assert offset == pytest.approx(oracle.x, abs=1e-5)


@pytest.mark.parametrize('criterion', CRITERIA)
def test_thresholds_are_nearly_the_best_on_other_images(criterion):
    # Many images, so that the prior says little: offsets are found.
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
def test_best_threshold_is_the_best_in_expectation(criterion):
    probabilities = np.random.default_rng(4).beta(0.5, 1.5, 400)
    threshold = best_threshold(probabilities, criterion)

    def expected(threshold):
        on = probabilities >= threshold
        tp, fp = probabilities[on].sum(), (1 - probabilities[on]).sum()
        fn, tn = probabilities[~on].sum(), (1 - probabilities[~on]).sum()
        if criterion == 'accuracy':
            return tp + tn
        return 2 * tp / (2 * tp + fp + fn) if criterion == 'f1' else tp / (tp + fn) + tn / (tn + fp)

    assert expected(threshold) == pytest.approx(max(expected(p) for p in probabilities))


def test_a_label_of_few_images_keeps_to_one_half():
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
def test_error_by_chance_is_that_of_right_probabilities(num):
    rng = np.random.default_rng(7)
    probabilities = rng.beta(1, 2, (num, 6))
    targets = (rng.random((num, 6)) < probabilities).astype(np.int8)
    error = error_by_chance(probabilities, targets)
    assert error == pytest.approx(calibration_errors(probabilities, targets)[0].mean(), rel=0.2)
    # Where all is unknown but few images, chance has more to say.
    targets[num // 4 :] = -1
    assert error_by_chance(probabilities, targets) > 1.4 * error


def test_the_last_bin_has_a_probability_of_1_and_not_those_of_its_neighbour():
    errors, _ = calibration_errors(np.array([[0.9], [1.0]]), np.array([[1], [0]]))
    assert errors[0] == pytest.approx(100 * (0.1 + 1.0) / 2)


def test_a_certain_mistake_costs_much_but_not_infinitely():
    _, likelihoods = calibration_errors(np.array([[0.0], [1.0]]), np.array([[1], [1]]))
    assert 100 < likelihoods[0] < 1000
