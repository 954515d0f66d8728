import numpy as np
import pytest

from imcnn_plugin.evaluation.subgroup_gap import compare_subgroups


def draw(images=400, labels=5, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(-1, 2, (images, labels))
    predicted = np.where(rng.random((images, labels)) < 0.8, targets == 1, rng.random((images, labels)) < 0.5)
    return predicted, targets, rng.integers(0, 60, images)


def test_accuracy_and_prevalence_are_those_of_the_images_alone():
    predicted, targets, identity = draw()
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
    # Images of unknown persons are on their own.
    found = compare_subgroups(predicted, targets, np.full(4000, -1), column=0)
    p, n = found.accuracy[:, 1] / 100, found.images
    half = 196 * np.sqrt((p * (1 - p) / n).sum())
    assert found.gap[1] == pytest.approx(20, abs=half)
    assert found.gap[1] - found.low[1] == pytest.approx(half, rel=0.1)
    assert found.high[1] - found.gap[1] == pytest.approx(half, rel=0.1)


def test_copies_of_images_say_nothing_new():
    predicted, targets, identity = draw()
    once = compare_subgroups(predicted, targets, identity, column=0)
    ten = compare_subgroups(*(np.repeat(x, 10, axis=0) for x in (predicted, targets, identity)), column=0)
    np.testing.assert_allclose(ten.low, once.low)
    np.testing.assert_allclose(ten.high, once.high)
    alone = compare_subgroups(
        *(np.repeat(x, 10, axis=0) for x in (predicted, targets)), np.full(10 * len(identity), -1), column=0
    )
    assert alone.high[-1] - alone.low[-1] < 0.5 * (once.high[-1] - once.low[-1])


def test_what_is_undefined_is_nan():
    targets = np.array([[1, 0, -1], [1, 1, -1], [-1, 0, 1]])
    found = compare_subgroups(targets == 1, targets, np.array([4, 4, 4]), column=0)
    assert found.images.tolist() == [2, 0]
    assert found.accuracy[0, :2].tolist() == [100, 100] and np.isnan(found.accuracy[1]).all()
    assert np.isnan([*found.gap, *found.low, *found.high]).all() and len(found.gap) == 4
