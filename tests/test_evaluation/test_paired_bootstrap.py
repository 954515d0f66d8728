import numpy as np
import pytest

from imcnn_plugin.evaluation.paired_bootstrap import accuracy, paired_interval, resampled_differences


@pytest.fixture
def counts():
    """Two models of three and two seeds on eleven persons, one of whom has no known label."""
    rng = np.random.default_rng(0)
    labelled = rng.integers(1, 200, 11)
    labelled[4] = 0
    return rng.binomial(labelled, 0.9, (3, 11)), rng.binomial(labelled, 0.85, (2, 11)), labelled


def plain_difference(correct, baseline, labelled, persons):
    """For a list of persons, in which one may stand several times."""
    means = []
    for model in (correct, baseline):
        seeds = [100 * sum(seed[i] for i in persons) / sum(labelled[i] for i in persons) for seed in model.tolist()]
        means.append(sum(seeds) / len(seeds))
    return means[0] - means[1]


def test_accuracy_is_that_of_all_labels():
    assert accuracy(np.array([[3, 0], [1, 5]]), np.array([4, 6])).tolist() == [30, 60]


def test_equals_a_loop_over_drawn_persons(counts, monkeypatch):
    # Chunks of nine draws, the last of which is smaller.
    monkeypatch.setattr('imcnn_plugin.evaluation.paired_bootstrap.CHUNK', 100)
    rng = np.random.default_rng(7)
    expected = []
    for _ in range(50):
        drawn = rng.multinomial(11, [1 / 11] * 11)
        persons = [i for i in range(11) for _ in range(drawn[i])]
        assert len(persons) == 11
        expected.append(plain_difference(*counts, persons))
    found = resampled_differences(*counts, resamples=50, seed=7)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)

    difference, low, high = paired_interval(*counts, level=0.9, resamples=50, seed=7)
    assert difference == pytest.approx(plain_difference(*counts, range(11)))
    assert (low, high) == pytest.approx(tuple(np.percentile(expected, [5, 95])))


def test_agrees_with_persons_drawn_one_by_one(counts):
    rng = np.random.default_rng(1)
    loop = [plain_difference(*counts, rng.integers(0, 11, 11).tolist()) for _ in range(4000)]
    _, low, high = paired_interval(*counts, resamples=20000)
    spread = np.std(loop)
    assert (low, high) == pytest.approx(tuple(np.percentile(loop, [2.5, 97.5])), abs=0.15 * spread)


def test_is_the_same_each_time_and_turns_round_with_the_models(counts):
    correct, baseline, labelled = counts
    first = paired_interval(correct, baseline, labelled)
    assert paired_interval(correct, baseline, labelled) == first
    difference, low, high = paired_interval(baseline, correct, labelled)
    assert (-difference, -high, -low) == pytest.approx(first)
    assert paired_interval(correct, correct, labelled) == (0, 0, 0)


def test_one_person_has_no_interval():
    difference, low, high = paired_interval(np.array([[3]]), np.array([[2]]), np.array([4]))
    assert difference == 25 and np.isnan(low) and np.isnan(high)


def test_shapes_that_do_not_fit_are_refused(counts):
    correct, baseline, labelled = counts
    with pytest.raises(ValueError, match=r'found \(3, 10\), \(2, 11\), \(11,\)'):
        paired_interval(correct[:, 1:], baseline, labelled)
    with pytest.raises(ValueError, match='expected'):
        paired_interval(correct[0], baseline, labelled)


def test_covers_the_difference_where_labels_of_a_person_go_together():
    """Persons have 1 to 6 images of 40 labels, and one model is better by 2 points on average, by more on some."""
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
