"""Temperature and thresholds of a multi-label classifier, fitted on a validation part; on arrays."""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

# How far the log odds of a label are expected to be off, a standard deviation. Chosen by cross-validation over people
# with seven networks on a subset of CelebA: above it, the accuracy of other people's images falls.
OFFSET_SPREAD = 0.1
CRITERIA = ('accuracy', 'balanced_accuracy', 'f1')


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """One temperature for all labels, by the likelihood (Guo et al. 2017, arXiv 1706.04599).

    One for each label follows the chance of a validation part of a thousand images: its likelihood on the test part
    was worse.

    Args:
        logits: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.

    Returns:
        T such that ``sigmoid(logits / T)`` are probabilities, from 0.05 to 20; 1 without any known label.
    """
    known = targets >= 0
    x, y = logits[known].astype(float), targets[known]
    if not len(x):
        return 1.0
    # The likelihood is concave in 1 / T, so its slope changes sign once.
    low, high = 1 / 20, 20.0
    for _ in range(60):
        scale = np.sqrt(low * high)
        if (x * (y - sigmoid(scale * x))).sum() > 0:
            low = scale
        else:
            high = scale
    return float(1 / np.sqrt(low * high))


def fit_offsets(logits: np.ndarray, targets: np.ndarray, spread: float = OFFSET_SPREAD) -> np.ndarray:
    """For each label, what to add to its logits so that as many are predicted as there are.

    The most probable value under a normal prior around 0, near which a label with few images therefore stays.

    Args:
        logits: Log odds ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        spread: Standard deviation of the prior.

    Returns:
        ``(L, )``.
    """
    known = targets >= 0
    # The slope of the posterior falls with the offset and is 0 somewhere between these.
    reach = spread**2 * (known.sum(0) + 1)
    low, high = -reach, reach
    for _ in range(60):
        offset = (low + high) / 2
        slope = ((targets - sigmoid(logits + offset)) * known).sum(0) - offset / spread**2
        low, high = np.where(slope > 0, offset, low), np.where(slope > 0, high, offset)
    return (low + high) / 2


def fit_thresholds(logits: np.ndarray, targets: np.ndarray, criterion: str = 'accuracy') -> np.ndarray:
    """For each label, the probability from which on to predict it.

    Where probabilities are right, the best threshold follows from them: 1/2 for accuracy, the label's prevalence for
    balanced accuracy, and half of the best F1 for F1 (Lipton et al. 2014, arXiv 1402.1892). So only an offset of the
    log odds is fitted, and not the threshold that happens to be best on these images. That one was worse on other
    people by 0.2 points of accuracy, 0.4 of balanced accuracy and 1 of F1.

    Args:
        logits: Log odds ``(N, L)``, divided by the temperature.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        criterion: One of ``CRITERIA``.

    Returns:
        ``(L, )``; 1/2 for a label that no image is known to have, or that all have.
    """
    offsets = fit_offsets(logits, targets)
    known = targets >= 0
    thresholds = np.full(logits.shape[1], 0.5)
    for i, (rows, offset) in enumerate(zip(known.T, offsets)):
        if len(np.unique(targets[rows, i])) == 2:
            best = best_threshold(sigmoid(logits[rows, i] + offset), criterion)
            # In terms of the probability without the offset.
            thresholds[i] = sigmoid(np.log(best / (1 - best)) - offset)
    return thresholds


def best_threshold(probabilities: np.ndarray, criterion: str) -> float:
    """The threshold that promises the best criterion, if these probabilities ``(N, )`` are right."""
    if criterion == 'accuracy':
        return 0.5
    if criterion == 'balanced_accuracy':
        return probabilities.mean()
    ordered = -np.sort(-probabilities)
    predicted = np.arange(1, len(ordered) + 1)
    return (2 * ordered.cumsum() / (predicted + ordered.sum())).max() / 2


def calibration_errors(
    probabilities: np.ndarray, targets: np.ndarray, bins: int = 15
) -> Tuple[np.ndarray, np.ndarray]:
    """How far each label's probabilities are from what happens.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        bins: Number of bins of equal width.

    Returns:
        ``(L, )`` each, NaN for a label without known images: the expected calibration error in percent, which
        is the mean over images of the distance between the probability and the share of positives in its bin; and the
        negative log likelihood.
    """
    errors, likelihoods = np.full((2, probabilities.shape[1]), np.nan)
    for i in range(len(errors)):
        rows = targets[:, i] >= 0
        if not rows.any():
            continue
        p, y = probabilities[rows, i].astype(float), targets[rows, i]
        in_bin = np.minimum((p * bins).astype(int), bins - 1)
        errors[i] = 100 * np.abs(np.bincount(in_bin, p - y)).sum() / len(p)
        certain = np.clip(np.where(y == 1, p, 1 - p), np.finfo(float).tiny, 1)
        likelihoods[i] = -np.log(certain).mean()
    return errors, likelihoods


def error_by_chance(probabilities: np.ndarray, targets: np.ndarray, draws: int = 10) -> float:
    """The mean expected calibration error that probabilities ``(N, L)`` would have if they were right.

    It is not 0: in a bin with few images the share of positives is off by chance.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``; of these, only what is unknown (-1) counts.
        draws: How often labels are drawn from the probabilities.
    """
    rng = np.random.default_rng(0)
    drawn = [np.where(targets < 0, -1, rng.random(targets.shape) < probabilities) for _ in range(draws)]
    return float(np.mean([np.nanmean(calibration_errors(probabilities, labels)[0]) for labels in drawn]))


@dataclass(frozen=True)
class Reliability:
    """What probabilities promise and what happens, by bins of equal width from 0 to 1.

    Args:
        count: Labels in each bin, ``(B, )``.
        promised: Their mean probability, ``(B, )``, NaN in an empty bin.
        happened: The share of them that is on, ``(B, )``, NaN in an empty bin.
    """

    count: np.ndarray
    promised: np.ndarray
    happened: np.ndarray


def reliability(probabilities: np.ndarray, targets: np.ndarray, bins: int = 15) -> Reliability:
    """The reliability of all known labels together.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        bins: Number B of bins, by default as in :func:`~imcnn_plugin.evaluation.calibration.calibration_errors`.
    """
    known = targets >= 0
    p, y = probabilities[known].astype(float), targets[known]
    place = np.minimum((p * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid='ignore'):
        promised, happened = (np.bincount(place, x, bins) / count for x in (p, y))
    return Reliability(count, promised, happened)
