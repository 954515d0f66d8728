"""Per-attribute metrics as functions of arrays."""

from typing import Dict, Optional, Sequence, Union

import numpy as np

# The percentages of score_attributes with their headings, in table order.
HEADINGS = dict(
    accuracy='acc',
    balanced_accuracy='bal. acc',
    precision='prec',
    recall='recall',
    f1='F1',
    average_precision='AP',
    prevalence='prevalence',
    majority_baseline='majority',
)
PERCENTAGES = tuple(HEADINGS)


def score_attributes(
    scores: np.ndarray, targets: np.ndarray, thresholds: Union[float, np.ndarray] = 0.5
) -> Dict[str, np.ndarray]:
    """Scores the predictions of each attribute.

    Args:
        scores: Probabilities ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
        thresholds: An attribute is predicted if its score reaches the threshold: one for all, or ``(L, )``.

    Returns:
        Arrays ``(L, )``: ``num_labelled`` and :data:`PERCENTAGES`; ``majority_baseline`` is the accuracy of always
        predicting the majority class of ``targets``. Undefined values, such as the recall of an attribute without
        positives, are NaN.
    """
    percentages = _confusion_metrics(*_confusion_counts(scores >= thresholds, targets).sum(1))
    percentages['average_precision'] = 100 * np.array(list(map(_average_precision, scores.T, targets.T)))
    return dict(num_labelled=(targets >= 0).sum(0), **{name: percentages[name] for name in PERCENTAGES})


def _confusion_counts(predicted: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """True positives, false positives, false negatives and true negatives, booleans ``(4, N, L)``."""
    positive, negative = targets == 1, targets == 0
    return np.stack([predicted & positive, predicted & negative, ~predicted & positive, ~predicted & negative])


def _confusion_metrics(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> Dict[str, np.ndarray]:
    """:data:`PERCENTAGES` without ``average_precision`` from counts of any shape; NaN where undefined."""
    with np.errstate(divide='ignore', invalid='ignore'):
        recall, specificity = tp / (tp + fn), tn / (tn + fp)
        prevalence = (tp + fn) / (tp + fp + fn + tn)
        values = dict(
            accuracy=(tp + tn) / (tp + fp + fn + tn),
            balanced_accuracy=(recall + specificity) / 2,
            precision=tp / (tp + fp),
            recall=recall,
            f1=2 * tp / (2 * tp + fp + fn),
            prevalence=prevalence,
            majority_baseline=np.maximum(prevalence, 1 - prevalence),
        )
    return {name: 100 * value for name, value in values.items()}


def _average_precision(scores: np.ndarray, targets: np.ndarray) -> float:
    """Area under the precision-recall steps of one label, with tied scores as one step; NaN without positives."""
    known = targets >= 0
    scores, positive = scores[known], targets[known] == 1
    if not positive.any():
        return np.nan
    order = np.argsort(-scores, kind='stable')
    scores, found = scores[order], positive[order].cumsum()
    last = np.append(scores[1:] != scores[:-1], True)
    found, ranks = found[last], np.flatnonzero(last) + 1
    return float((np.diff(found, prepend=0) * found / ranks).sum() / found[-1])


def nan_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Means of the values that are not NaN; NaN if there are none."""
    return np.ma.filled(np.ma.masked_invalid(values).mean(axis), np.nan)


def mean_or_none(values: Sequence[float]) -> Optional[float]:
    """The mean of the values that are not NaN; None if there are none."""
    values = np.asarray(values, float)
    defined = values[~np.isnan(values)]
    return defined.mean().item() if len(defined) else None
