import numpy as np

from imcnn_plugin.evaluation.worst_errors import find_worst_errors


def test_the_least_probable_labels_come_first():
    rng = np.random.default_rng(0)
    p, targets = rng.random((50, 4)), rng.integers(-1, 2, (50, 4))
    thresholds = np.array([0.5, 0.2, 0.9, 0.5])
    expected = sorted(
        (p[i, j] if targets[i, j] else 1 - p[i, j], i, j)
        for i in range(50)
        for j in range(4)
        if targets[i, j] >= 0 and (p[i, j] >= thresholds[j]) != targets[i, j]
    )
    rows, columns = find_worst_errors(p, targets, thresholds, number=500, per_label=500)
    assert [*zip(rows, columns)] == [(i, j) for _, i, j in expected]
    rows, columns = find_worst_errors(p, targets, thresholds, number=7, per_label=2)
    kept = [(i, j) for k, (_, i, j) in enumerate(expected) if sum(j == other[2] for other in expected[:k]) < 2]
    assert [*zip(rows, columns)] == kept[:7]


def test_a_model_without_errors_has_none():
    targets = np.array([[0, 1], [-1, 1]])
    rows, columns = find_worst_errors(targets.astype(float), targets, np.full(2, 0.5), number=5, per_label=5)
    assert len(rows) == len(columns) == 0
