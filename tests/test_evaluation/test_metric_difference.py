import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from imcnn_plugin.evaluation.metric_difference import criterion_value, gain

SCORES = dict(accuracy=accuracy_score, balanced_accuracy=balanced_accuracy_score, f1=f1_score)


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    targets = (rng.random((90, 3)) < 0.4).astype(np.int8)
    targets[rng.random((90, 3)) < 0.1] = -1
    before, after = (np.where(rng.random((90, 3)) < share, targets == 1, targets == 0) for share in (0.6, 0.8))
    return before, after, targets, rng.integers(-1, 20, 90)


def mean_score(predicted, targets, rows, criterion):
    values = []
    for i in range(targets.shape[1]):
        known = rows[targets[rows, i] >= 0]
        values.append(100 * SCORES[criterion](targets[known, i], predicted[known, i]))
    return np.mean(values)


@pytest.mark.parametrize('criterion', SCORES)
def test_agrees_with_scikit_learn_on_persons_drawn_anew(predictions, criterion):
    before, after, targets, identity = predictions
    value, low, high = gain(*predictions, criterion, resamples=30, seed=3)
    rows = np.arange(90)
    assert value == pytest.approx(
        mean_score(after, targets, rows, criterion) - mean_score(before, targets, rows, criterion)
    )

    persons = np.unique(identity)
    differences = []
    for times in np.random.default_rng(3).multinomial(len(persons), np.full(len(persons), 1 / len(persons)), size=30):
        rows = np.concatenate([np.tile(np.flatnonzero(identity == who), n) for who, n in zip(persons, times)])
        differences.append(mean_score(after, targets, rows, criterion) - mean_score(before, targets, rows, criterion))
    assert (low, high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_one_person_has_no_interval(predictions):
    before, after, targets, identity = predictions
    value, low, high = gain(before, after, targets, np.zeros_like(identity), 'f1')
    assert value > 0 and np.isnan([low, high]).all()


def test_what_is_undefined_is_nan():
    assert np.isnan(criterion_value(np.array([0, 0, 0, 5]), 'f1'))
    assert np.isnan(criterion_value(np.array([0, 0, 0, 5]), 'balanced_accuracy'))
    assert criterion_value(np.array([0, 0, 0, 5]), 'accuracy') == 100
