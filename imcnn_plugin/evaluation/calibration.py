"""Temperature scaling, decision thresholds and calibration errors of a multi-label classifier, on arrays.

Temperature and thresholds are fitted on a validation split.
"""

from dataclasses import dataclass
from typing import Callable, Tuple

import numpy as np

from .attribute_scores import nan_mean

# Prior standard deviation of the error of a label's log odds. Chosen by cross-validation over identities with seven
# models on a subset of CelebA: larger values lower the accuracy on unseen identities.
OFFSET_STD = 0.1
CRITERIA = ('accuracy', 'balanced_accuracy', 'f1')
BINS = 15
# Labels are drawn from the probabilities so many times.
_DRAWS = 10


def sigmoid(x: np.ndarray) -> np.ndarray:
    """The logistic function, without overflow."""
    return np.exp(-np.logaddexp(0, -x))


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """Fits one temperature for all labels by maximum likelihood (Guo et al. 2017, arXiv 1706.04599).

    One temperature per label overfits a validation split of a thousand images: the likelihood on the test split was
    worse.

    Args:
        logits: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.

    Returns:
        T such that ``sigmoid(logits / T)`` are probabilities, from 0.05 to 20; 1 if no label is known.
    """
    known = targets >= 0
    x, y = logits[known].astype(float), targets[known]
    if not len(x):
        return 1.0
    # The log likelihood is concave in 1 / T.
    limit = np.log(20)
    log_scale = _find_root(lambda t: (x * (y - sigmoid(np.exp(t) * x))).sum(), -limit, limit)
    return float(np.exp(-log_scale))


def fit_thresholds(logits: np.ndarray, targets: np.ndarray, criterion: str = 'accuracy') -> np.ndarray:
    """Fits the decision threshold of each label.

    For calibrated probabilities the optimal threshold is known: 1/2 for accuracy, the prevalence for balanced
    accuracy, and half of the best F1 for F1 (Lipton et al. 2014, arXiv 1402.1892). Therefore only an offset of the
    log odds is fitted. The empirically best threshold overfits: on unseen identities it was worse by 0.2 points of
    accuracy, 0.4 of balanced accuracy and 1 of F1.

    Args:
        logits: Log odds ``(N, L)``, that is, logits divided by the temperature.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        criterion: One of :data:`CRITERIA`.

    Returns:
        Probabilities ``(L, )``; 1/2 for a label whose known values are all the same.
    """
    offsets = _fit_offsets(logits, targets)
    known = targets >= 0
    thresholds = np.full(logits.shape[1], 0.5)
    for i, (rows, offset) in enumerate(zip(known.T, offsets)):
        if len(np.unique(targets[rows, i])) == 2:
            best = _best_threshold(sigmoid(logits[rows, i] + offset), criterion)
            # Convert to a probability without the offset.
            thresholds[i] = sigmoid(np.log(best / (1 - best)) - offset)
    return thresholds


def _fit_offsets(logits: np.ndarray, targets: np.ndarray, std: float = OFFSET_STD) -> np.ndarray:
    """Fits the offset ``(L, )`` of each label's log odds at which predicted and actual prevalence agree.

    This is the maximum a posteriori estimate under a zero-mean normal prior with standard deviation ``std``, so the
    offset of a label with few images stays near 0.
    """
    known = targets >= 0
    bound = std**2 * (known.sum(0) + 1)
    return _find_root(lambda x: ((targets - sigmoid(logits + x)) * known).sum(0) - x / std**2, -bound, bound)


def _find_root(slope: Callable, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The zeros of decreasing functions, elementwise, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        positive = slope(middle) > 0
        low, high = np.where(positive, middle, low), np.where(positive, high, middle)
    return (low + high) / 2


def _best_threshold(probabilities: np.ndarray, criterion: str) -> float:
    """The threshold with the best expected criterion for calibrated probabilities ``(N, )``."""
    if criterion == 'accuracy':
        return 0.5
    if criterion == 'balanced_accuracy':
        return probabilities.mean()
    ordered = -np.sort(-probabilities)
    predicted = np.arange(1, len(ordered) + 1)
    return (2 * ordered.cumsum() / (predicted + ordered.sum())).max() / 2


def calibration_errors(probabilities: np.ndarray, targets: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Expected calibration error and negative log likelihood of each label.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.

    Returns:
        ``(L, )`` each, NaN for a label without known values. The expected calibration error, in percent, is the mean
        over images of the difference between the confidence and accuracy of their bins, see :class:`Reliability`.
    """
    errors, likelihoods = np.full((2, probabilities.shape[1]), np.nan)
    for i, known in enumerate((targets >= 0).T):
        if known.any():
            p, y = probabilities[known, i].astype(float), targets[known, i]
            errors[i] = 100 * np.abs(np.bincount(_bin_of(p, BINS), p - y)).sum() / len(p)
            true = np.where(y == 1, p, 1 - p)
            likelihoods[i] = -np.log(np.clip(true, np.finfo(float).tiny, 1)).mean()
    return errors, likelihoods


def perfect_calibration_error(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The mean expected calibration error of a perfectly calibrated model with the same probabilities, in percent.

    It is above 0 because the share of positives in a bin with few images varies by chance.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``; only the unknown values (-1) are used.

    Returns:
        The error; NaN if no label is known.
    """
    rng = np.random.default_rng(0)
    drawn = [np.where(targets < 0, -1, rng.random(targets.shape) < probabilities) for _ in range(_DRAWS)]
    return float(np.mean([nan_mean(calibration_errors(probabilities, labels)[0]) for labels in drawn]))


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: B bins of equal width from 0 to 1; NaN in an empty bin.

    Args:
        count: Number of labels in each bin, ``(B, )``.
        confidence: Their mean probability, ``(B, )``.
        accuracy: Their share of positives, ``(B, )``.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, targets: np.ndarray, bins: int = BINS) -> Reliability:
    """The reliability diagram of all known labels together.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        bins: Number B of bins.
    """
    known = targets >= 0
    p, y = probabilities[known].astype(float), targets[known]
    place = _bin_of(p, bins)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid='ignore'):
        return Reliability(count, *(np.bincount(place, values, bins) / count for values in (p, y)))


def _bin_of(p: np.ndarray, bins: int) -> np.ndarray:
    return np.minimum((p * bins).astype(int), bins - 1)
