import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from imcnn_plugin.evaluation import AttributeReport, sum_by_identity
from imcnn_plugin.evaluation.attribute_scores import _confusion_metrics
from imcnn_plugin.evaluation.paired_bootstrap import (
    _resample,
    compare_subgroups,
    metric_difference,
    paired_interval,
    paired_intervals,
)

METRICS = dict(accuracy=accuracy_score, balanced_accuracy=balanced_accuracy_score, f1=f1_score)


@pytest.fixture
def counts():
    """Two models of three and two seeds on eleven identities, one of which has no known label."""
    rng = np.random.default_rng(0)
    labelled = rng.integers(1, 200, 11)
    labelled[4] = 0
    return rng.binomial(labelled, 0.9, (3, 11)), rng.binomial(labelled, 0.85, (2, 11)), labelled


def plain_difference(correct, baseline, labelled, identities):
    """For a list of identities, possibly repeated."""
    means = []
    for model in (correct, baseline):
        seeds = [
            100 * sum(seed[i] for i in identities) / sum(labelled[i] for i in identities) for seed in model.tolist()
        ]
        means.append(sum(seeds) / len(seeds))
    return means[0] - means[1]


def test_accuracy_of_an_attribute_is_that_of_all_its_labels():
    for correct, expected in (([[3, 0]], 30), ([[1, 5]], 60), ([[3, 0], [1, 5]], 45)):
        assert paired_interval(np.array(correct), np.zeros((1, 2)), np.array([4, 6]))[0] == pytest.approx(expected)


def test_equals_a_loop_over_drawn_identities(counts, monkeypatch):
    # Chunks of nine draws, the last of which is smaller.
    monkeypatch.setattr('imcnn_plugin.evaluation.paired_bootstrap.CHUNK', 100)
    rng = np.random.default_rng(7)
    expected = []
    for _ in range(50):
        drawn = rng.multinomial(11, [1 / 11] * 11)
        identities = [i for i in range(11) for _ in range(drawn[i])]
        assert len(identities) == 11
        expected.append(plain_difference(*counts, identities))
    correct, baseline, labelled = counts
    stacked = np.stack([correct.mean(0) - baseline.mean(0), labelled])[:, :, None]
    gain, known = np.concatenate(list(_resample(stacked, 50, 7)))[:, :, 0].T
    found = 100 * gain / known
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)

    difference, low, high = paired_interval(*counts, resamples=50, seed=7)
    assert difference == pytest.approx(plain_difference(*counts, range(11)))
    assert (low, high) == pytest.approx(tuple(np.percentile(expected, [2.5, 97.5])))


def test_agrees_with_identities_drawn_one_by_one(counts):
    rng = np.random.default_rng(1)
    loop = [plain_difference(*counts, rng.integers(0, 11, 11).tolist()) for _ in range(4000)]
    _, low, high = paired_interval(*counts, resamples=20000)
    spread = np.std(loop)
    assert (low, high) == pytest.approx(tuple(np.percentile(loop, [2.5, 97.5])), abs=0.15 * spread)


def test_is_deterministic_and_antisymmetric(counts):
    correct, baseline, labelled = counts
    first = paired_interval(correct, baseline, labelled)
    assert paired_interval(correct, baseline, labelled) == first
    difference, low, high = paired_interval(baseline, correct, labelled)
    assert (-difference, -high, -low) == pytest.approx(first)
    assert paired_interval(correct, correct, labelled) == (0, 0, 0)


def test_one_identity_has_no_interval():
    difference, low, high = paired_interval(np.array([[3]]), np.array([[2]]), np.array([4]))
    assert difference == 25 and np.isnan(low) and np.isnan(high)


def test_mismatched_shapes_are_rejected(counts):
    correct, baseline, labelled = counts
    with pytest.raises(ValueError, match=r'found \(3, 10\), \(2, 11\), \(11,\)'):
        paired_interval(correct[:, 1:], baseline, labelled)
    with pytest.raises(ValueError, match='expected'):
        paired_interval(correct[0], baseline, labelled)


def draw_unknown(number=600, known=(1.0, 0.7, 0.05)):
    """Predictions of attributes whose labels are known on all, most and few images."""
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 2, (number, 3))
    targets[rng.random((number, 3)) >= known] = -1
    right = rng.random((2, number, 3)) < np.array([[[0.95, 0.8, 0.6]], [[0.9, 0.75, 0.7]]])
    return right == (targets == 1), targets, rng.integers(0, 150, number)


def plain_mean(predicted, targets, rows):
    """The mean over attributes of the accuracy of some rows, which may be repeated, in percent."""
    pairs = [
        [p == t for p, t in zip(predicted[rows, column], targets[rows, column]) if t >= 0]
        for column in range(targets.shape[1])
    ]
    return 100 * np.mean([np.mean(right) for right in pairs if right])


def intervals(predicted, targets, identity):
    """Intervals of the first model's accuracy and of its difference to the second one, of the three attributes."""
    (first, second), known, positive = predicted, targets >= 0, targets == 1
    counts, _ = sum_by_identity(identity, known & (first == positive), known & (second == positive), known)
    own, other, labelled = counts
    accuracy = paired_interval(own[None], np.zeros_like(own[None]), labelled)
    return accuracy, paired_interval(own[None], other[None], labelled)


def test_the_interval_is_that_of_the_mean_over_attributes_of_resampled_images():
    """The bootstrap of images with their unknown labels, written out; an attribute that few know counts as any."""
    (first, second), targets, identity = draw_unknown()
    rng = np.random.default_rng(0)
    rows_of = [np.flatnonzero(identity == who) for who in np.unique(identity)]
    draws = []
    for _ in range(1000):
        rows = np.concatenate([rows_of[i] for i in rng.integers(0, len(rows_of), len(rows_of))])
        draws.append((plain_mean(first, targets, rows), plain_mean(second, targets, rows)))
    first_draws, second_draws = np.array(draws).T
    accuracy, difference = intervals((first, second), targets, identity)
    everything = np.arange(600)
    for found, drawn, value in (
        (accuracy, first_draws, plain_mean(first, targets, everything)),
        (
            difference,
            first_draws - second_draws,
            plain_mean(first, targets, everything) - plain_mean(second, targets, everything),
        ),
    ):
        assert found[0] == pytest.approx(value)
        assert found[1:] == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.3 * np.std(drawn))


def test_several_models_and_subsets_get_the_intervals_that_each_gets_alone():
    rng = np.random.default_rng(2)
    labelled = rng.integers(0, 5, (30, 3))
    models, baseline = rng.binomial(labelled, 0.8, (2, 2, 30, 3)), rng.binomial(labelled, 0.7, (1, 30, 3))
    subsets = [np.array([0, 1, 2]), np.array([1])]
    found = paired_intervals(models.mean(1) - baseline[0], labelled, subsets, 100)
    for model, intervals in zip(models, found, strict=True):
        for subset, interval in zip(subsets, intervals, strict=True):
            alone = paired_interval(model[..., subset], baseline[..., subset], labelled[:, subset], 100)
            assert interval == pytest.approx(alone)


def test_images_of_unknown_identity_are_drawn_one_by_one():
    (first, second), targets, _ = draw_unknown()
    unknown, own = np.full(600, -1), np.arange(600)
    found = [metric_difference(second, first, targets, identity, 'accuracy') for identity in (unknown, own)]
    assert found[0] == pytest.approx(found[1], abs=0.1 * (found[1][2] - found[1][1]))
    report = AttributeReport.from_scores(first.astype(float), targets, unknown, list('abc'))
    counts = [np.array([*report.by_identity[key].values()]).T for key in ('correct', 'labelled')]
    assert counts[0].shape == (600, 3) and report.num_identities == 0
    accuracy, _ = intervals((first, second), targets, own)
    found = paired_interval(counts[0][None], np.zeros((1, 600, 3)), counts[1])
    assert found == pytest.approx(accuracy, abs=0.1 * (accuracy[2] - accuracy[1]))


def test_many_images_of_unknown_identity_are_counted_in_groups():
    targets = np.random.default_rng(0).integers(0, 2, (5000, 1))
    identity = np.where(np.arange(5000) < 10, 7, -1)
    counts = AttributeReport.from_scores(np.full((5000, 1), 0.9), targets, identity, ['a']).by_identity
    assert counts['identity'] == [*range(-1000, 0), 7]
    assert sum(counts['correct']['a']) == targets.sum() and set(counts['labelled']['a'][:-1]) == {4, 5}


def test_covers_the_difference_where_labels_of_an_identity_are_correlated():
    """Identities have 1 to 6 images of 40 labels, and one model is better by 2 points on average, by more on some."""
    rng = np.random.default_rng(0)
    covered = covered_by_labels = 0
    for _ in range(300):
        labelled = 40 * rng.integers(1, 7, 60)
        share, gain = 0.1 + 0.75 * rng.beta(16, 4, 60), rng.uniform(-0.08, 0.12, 60)
        baseline = rng.binomial(labelled, share, (2, 60))
        correct = rng.binomial(labelled, share + gain, (2, 60))
        difference, low, high = paired_interval(correct, baseline, labelled, resamples=500)
        covered += low <= 2 <= high
        # What independent labels would give.
        shares = (correct.mean(0).sum() / labelled.sum(), baseline.mean(0).sum() / labelled.sum())
        half = 196 * np.sqrt(sum(share * (1 - share) / (2 * labelled.sum()) for share in shares))
        covered_by_labels += abs(difference - 2) <= half
    assert 0.91 <= covered / 300 <= 0.98
    assert covered_by_labels / 300 < 0.85


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    targets = (rng.random((90, 3)) < 0.4).astype(np.int8)
    targets[rng.random((90, 3)) < 0.1] = -1
    before, after = (np.where(rng.random((90, 3)) < share, targets == 1, targets == 0) for share in (0.6, 0.8))
    return before, after, targets, rng.integers(-1, 20, 90)


def mean_score(predicted, targets, rows, metric):
    values = []
    for i in range(targets.shape[1]):
        known = rows[targets[rows, i] >= 0]
        values.append(100 * METRICS[metric](targets[known, i], predicted[known, i]))
    return np.mean(values)


@pytest.mark.parametrize('metric', METRICS)
def test_metric_difference_agrees_with_scikit_learn_on_resampled_identities(predictions, metric):
    before, after, targets, identity = predictions
    value, low, high = metric_difference(*predictions, metric, resamples=30, seed=3)
    rows = np.arange(90)
    assert value == pytest.approx(mean_score(after, targets, rows, metric) - mean_score(before, targets, rows, metric))

    # Each image of unknown identity is drawn by itself.
    unknown = np.flatnonzero(identity < 0)
    identity[unknown] = -1 - np.arange(len(unknown))
    identities = np.unique(identity)
    differences = []
    for times in np.random.default_rng(3).multinomial(
        len(identities), np.full(len(identities), 1 / len(identities)), size=30
    ):
        rows = np.concatenate([np.tile(np.flatnonzero(identity == who), n) for who, n in zip(identities, times)])
        differences.append(mean_score(after, targets, rows, metric) - mean_score(before, targets, rows, metric))
    assert (low, high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_metric_difference_of_one_identity_has_no_interval(predictions):
    before, after, targets, identity = predictions
    value, low, high = metric_difference(before, after, targets, np.zeros_like(identity), 'f1')
    assert value > 0 and np.isnan([low, high]).all()


def test_undefined_metrics_are_nan():
    found = _confusion_metrics(*np.array([0, 0, 0, 5]))
    assert np.isnan(found['f1']) and np.isnan(found['balanced_accuracy']) and found['accuracy'] == 100


def draw_images(images=400, labels=5, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(-1, 2, (images, labels))
    predicted = np.where(rng.random((images, labels)) < 0.8, targets == 1, rng.random((images, labels)) < 0.5)
    return predicted, targets, rng.integers(0, 60, images)


def test_subgroup_accuracy_and_prevalence_are_those_of_its_images():
    predicted, targets, identity = draw_images()
    found = compare_subgroups(predicted, targets, identity, column=2)
    for i, label in enumerate((1, 0)):
        rows = targets[:, 2] == label
        assert found.images[i] == rows.sum()
        for column in range(5):
            pairs = [(p, t) for p, t in zip(predicted[rows, column], targets[rows, column]) if t >= 0]
            assert found.accuracy[i, column] == pytest.approx(100 * np.mean([p == (t == 1) for p, t in pairs]))
            assert found.prevalence[i, column] == pytest.approx(100 * np.mean([t for _, t in pairs]))
    gap = found.accuracy[0] - found.accuracy[1]
    np.testing.assert_allclose(found.gap, [*gap, gap.mean()])
    assert (found.low <= found.gap).all() and (found.gap <= found.high).all()


def test_intervals_of_single_images_are_those_of_two_proportions():
    rng = np.random.default_rng(0)
    member = rng.random(4000) < 0.3
    targets = np.stack([member, np.ones(4000)], 1).astype(int)
    predicted = np.stack([member, rng.random(4000) < np.where(member, 0.9, 0.7)], 1)
    # Each image of unknown identity counts as an identity of its own.
    found = compare_subgroups(predicted, targets, np.full(4000, -1), column=0)
    p, n = found.accuracy[:, 1] / 100, found.images
    half = 196 * np.sqrt((p * (1 - p) / n).sum())
    assert found.gap[1] == pytest.approx(20, abs=half)
    assert found.gap[1] - found.low[1] == pytest.approx(half, rel=0.1)
    assert found.high[1] - found.gap[1] == pytest.approx(half, rel=0.1)


def test_copies_of_images_do_not_narrow_intervals():
    predicted, targets, identity = draw_images()
    once = compare_subgroups(predicted, targets, identity, column=0)
    ten = compare_subgroups(*(np.repeat(x, 10, axis=0) for x in (predicted, targets, identity)), column=0)
    np.testing.assert_allclose(ten.low, once.low)
    np.testing.assert_allclose(ten.high, once.high)
    alone = compare_subgroups(
        *(np.repeat(x, 10, axis=0) for x in (predicted, targets)), np.full(10 * len(identity), -1), column=0
    )
    assert alone.high[-1] - alone.low[-1] < 0.5 * (once.high[-1] - once.low[-1])


def test_undefined_gaps_are_nan():
    targets = np.array([[1, 0, -1], [1, 1, -1], [-1, 0, 1]])
    found = compare_subgroups(targets == 1, targets, np.array([4, 4, 4]), column=0)
    assert found.images.tolist() == [2, 0]
    assert found.accuracy[0, :2].tolist() == [100, 100] and np.isnan(found.accuracy[1]).all()
    assert np.isnan([*found.gap, *found.low, *found.high]).all() and len(found.gap) == 4
