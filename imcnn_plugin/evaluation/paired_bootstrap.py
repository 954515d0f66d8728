"""Confidence intervals by bootstrap over identities.

Images of one identity are not independent, so identities rather than images are drawn with replacement (a cluster
bootstrap). Images of unknown identity count as independent. Unknown labels are not scored.
A comparison of two models is paired: both are evaluated on the same draws.
"""

from dataclasses import dataclass
from typing import Callable, Iterator, List, Sequence, Tuple

import numpy as np

from .attribute_scores import _confusion_counts, _confusion_metrics, nan_mean
from .identity_agreement import _resampling_units, sum_by_identity

# Number of values in memory at once: 32 MB.
CHUNK = 2**22


def _bootstrap(
    counts: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], resamples: int = 2000, seed: int = 0
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A statistic of sums over identities, and the ends of its 95 % percentile interval, ``(K, )`` each.

    ``statistic`` turns sums of counts ``(F, I, L)`` over I identities, ``(..., F, L)``, into values ``(..., K)``, NaN
    where undefined. The ends are NaN with fewer than two identities.
    """
    value = statistic(counts.sum(1))
    ends = np.full((2, *value.shape), np.nan)
    if counts.shape[1] > 1:
        values = np.concatenate([statistic(sums) for sums in _resample(counts, resamples, seed)])
        defined = ~np.isnan(values).all(0)
        ends[:, defined] = np.nanquantile(values[:, defined], [0.025, 0.975], axis=0)
    return value, *ends


def _resample(counts: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yields sums ``(b, F, L)`` over identities drawn with replacement, in chunks of b draws, ``resamples`` in all."""
    rng = np.random.default_rng(seed)
    identities = counts.shape[1]
    rows = max(1, CHUNK // max(identities, counts.size // identities))
    for start in range(0, resamples, rows):
        times = rng.multinomial(identities, np.full(identities, 1 / identities), size=min(rows, resamples - start))
        yield np.tensordot(times.astype(float), counts, (1, 1))


def paired_interval(
    correct: np.ndarray, baseline: np.ndarray, labelled: np.ndarray, resamples: int = 10000, seed: int = 0
) -> Tuple[float, float, float]:
    """The difference in mean accuracy of two models and its 95 % interval, in percentage points.

    The interval shows how much the difference between these trained models may vary on other identities. It does not
    include seed variance; see the standard deviation over seeds.

    Args:
        correct: Numbers of correctly predicted labels ``(S, I, L)`` for S seeds, I identities and L attributes; or
            ``(S, I)`` for one attribute.
        baseline: The same for the other model with R seeds, ``(R, I, L)``.
        labelled: Numbers of known labels ``(I, L)``, the same for both models.
        resamples: Number of draws of I identities.
        seed: Seed of the draws.

    Returns:
        Difference of the means over seeds, lower and upper end. The ends are NaN with fewer than two identities.

    Raises:
        ValueError: The shapes do not match.
    """
    shape = labelled.shape
    if labelled.ndim not in (1, 2) or not correct.shape[1:] == baseline.shape[1:] == shape:
        raise ValueError(f'expected (S, I, L), (R, I, L), (I, L), found {correct.shape}, {baseline.shape}, {shape}')

    # The labels are the same for all seeds, so the mean over seeds can be taken first.
    gain = (correct.mean(0) - baseline.mean(0)).reshape(1, len(labelled), -1)
    labelled = labelled.reshape(len(labelled), -1)
    return paired_intervals(gain, labelled, [np.arange(labelled.shape[1])], resamples, seed)[0][0]


def paired_intervals(
    gains: np.ndarray, labelled: np.ndarray, subsets: Sequence[np.ndarray], resamples: int = 10000, seed: int = 0
) -> List[List[Tuple[float, float, float]]]:
    """:func:`paired_interval` of several models, each over several subsets of the attributes, on the same draws.

    Args:
        gains: Numbers of correctly predicted labels minus those of the baseline, averaged over seeds, ``(V, I, L)``
            for V models, I identities and L attributes.
        labelled: Numbers of known labels ``(I, L)``.
        subsets: Indices of the attributes of each subset.
        resamples: Number of draws of I identities.
        seed: Seed of the draws.

    Returns:
        For each model and subset, the difference and its lower and upper end.
    """

    def differences(sums: np.ndarray) -> np.ndarray:
        each = _percentage(sums[..., :-1, :], sums[..., -1:, :])
        means = np.stack([nan_mean(each[..., chosen]) for chosen in subsets], -1)
        return means.reshape(*means.shape[:-2], -1)

    found = np.stack(_bootstrap(np.concatenate([gains, labelled[None]]), differences, resamples, seed), -1)
    return [[tuple(ends) for ends in some] for some in found.reshape(len(gains), len(subsets), 3).tolist()]


def metric_difference(
    before: np.ndarray,
    after: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
    metric: str,
    resamples: int = 2000,
    seed: int = 0,
) -> Tuple[float, float, float]:
    """The difference of a metric, averaged over attributes, with its 95 % interval.

    Args:
        before: Predictions ``(N, L)``, booleans.
        after: The predictions to compare with ``before``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
        identity: ``(N, )``, -1 for unknown.
        metric: 'accuracy', 'balanced_accuracy' or 'f1'.
        resamples: Number of draws of identities.
        seed: Seed of the draws.

    Returns:
        Difference, lower and upper end, in percentage points. The ends are NaN with fewer than two identities.
    """

    def difference(sums: np.ndarray) -> np.ndarray:
        old, new = (_confusion_metrics(*np.moveaxis(x, -2, 0))[metric] for x in np.split(sums, 2, -2))
        return nan_mean(new - old)[..., None]

    cells = [cell for predicted in (before, after) for cell in _confusion_counts(predicted, targets)]
    counts, _ = sum_by_identity(_resampling_units(identity), *cells)
    return tuple(x.item() for x in _bootstrap(counts, difference, resamples, seed))


@dataclass(frozen=True)
class SubgroupGap:
    """Compares images labelled with and without an attribute, in percent; NaN where undefined.

    Args:
        images: Number of images with and without, ``(2, )``.
        accuracy: ``(2, L)``.
        prevalence: ``(2, L)``.
        gap: Accuracy with minus accuracy without, ``(L + 1, )``; the last value compares the means over attributes.
        low: Lower ends of the gaps' 95 % intervals over identities, ``(L + 1, )``; NaN with fewer than two identities.
        high: Upper ends.
    """

    images: np.ndarray
    accuracy: np.ndarray
    prevalence: np.ndarray
    gap: np.ndarray
    low: np.ndarray
    high: np.ndarray


def compare_subgroups(predicted: np.ndarray, targets: np.ndarray, identity: np.ndarray, column: int) -> SubgroupGap:
    """Compares images that have an attribute with images that do not.

    Args:
        predicted: Booleans ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
        identity: ``(N, )``, -1 for unknown.
        column: Index of the attribute that defines the subgroups; images without a label for it are ignored.
    """
    known, on = targets >= 0, targets == 1
    members = [targets[:, [column]] == label for label in (1, 0)]
    cells = [cell & rows for rows in members for cell in (known & (predicted == on), known, on)]
    counts, _ = sum_by_identity(_resampling_units(identity), *cells)
    correct, labelled, positive = counts.sum(1).reshape(2, 3, -1).swapaxes(0, 1)
    return SubgroupGap(
        np.array([rows.sum() for rows in members]),
        _percentage(correct, labelled),
        _percentage(positive, labelled),
        *_bootstrap(counts, _gaps),
    )


def _gaps(sums: np.ndarray) -> np.ndarray:
    """Differences in accuracy ``(..., L + 1)`` from two subgroups' correct, known and positive labels ``(..., 6, L)``.

    The last value is the mean over the attributes that are defined in both subgroups.
    """
    first, second = (_percentage(sums[..., i, :], sums[..., i + 1, :]) for i in (0, 3))
    return np.concatenate([first - second, nan_mean(first - second)[..., None]], -1)


def _percentage(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(divide='ignore', invalid='ignore'):
        return 100 * part / whole
