"""What other predictions gain in a criterion, with an interval over persons; on arrays."""

from typing import Tuple

import numpy as np

from .paired_bootstrap import draw_persons


def criterion_value(counts: np.ndarray, criterion: str) -> np.ndarray:
    """A criterion in percent.

    Args:
        counts: True and false positives, false and true negatives, ``(..., 4)``.
        criterion: 'accuracy', 'balanced_accuracy' or 'f1'.

    Returns:
        ``(...)``, NaN where it is undefined.
    """
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, float), -1, 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        if criterion == 'accuracy':
            return 100 * (tp + tn) / (tp + fp + fn + tn)
        if criterion == 'balanced_accuracy':
            return 50 * (tp / (tp + fn) + tn / (tn + fp))
        return 100 * 2 * tp / (2 * tp + fp + fn)


def gain(
    before: np.ndarray,
    after: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
    criterion: str,
    resamples: int = 2000,
    seed: int = 0,
) -> Tuple[float, float, float]:
    """What other predictions gain in a criterion, the mean over labels, with its 95 % interval over persons.

    Args:
        before: Predictions ``(N, L)``, booleans.
        after: The other ones.
        targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
        identity: The persons ``(N, )``; they and not images are drawn anew, since images of one are not independent.
        criterion: 'accuracy', 'balanced_accuracy' or 'f1'.
        resamples: Number of draws.
        seed: Seeds them.

    Returns:
        Gain, lower and upper end, in points of percent. The ends are NaN with fewer than two persons.
    """
    persons, person = np.unique(identity, return_inverse=True)
    known, positive = targets >= 0, targets == 1
    # (persons, 2, L, 4)
    counts = np.zeros((len(persons), 2, targets.shape[1], 4))
    for i, predicted in enumerate((before, after)):
        cells = (predicted & positive, predicted & ~positive, ~predicted & positive, ~predicted & ~positive)
        np.add.at(counts, (person, i), np.stack([cell & known for cell in cells], -1))

    def difference(sums: np.ndarray) -> np.ndarray:
        values = criterion_value(sums, criterion)
        return np.nanmean(values[..., 1, :] - values[..., 0, :], -1)

    value = float(difference(counts.sum(0)))
    if len(persons) < 2:
        return value, np.nan, np.nan
    draws = draw_persons(len(persons), resamples, seed, counts[0].size)
    values = [difference(np.tensordot(times.astype(float), counts, 1)) for times in draws]
    low, high = np.quantile(np.concatenate(values), [0.025, 0.975])
    return value, float(low), float(high)
