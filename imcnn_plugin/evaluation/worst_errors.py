from collections import Counter
from typing import Tuple

import numpy as np


def find_worst_errors(
    probabilities: np.ndarray, targets: np.ndarray, thresholds: np.ndarray, number: int, per_label: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Finds the most confident wrong predictions.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        thresholds: ``(L, )``; a label is predicted if its probability reaches the threshold.
        number: Maximum number of errors.
        per_label: Maximum number of errors per label.

    Returns:
        Rows ``(M, )`` and columns ``(M, )``, in ascending order of the true label's probability.
    """
    rows, columns = np.nonzero((targets >= 0) & ((probabilities >= thresholds) != (targets == 1)))
    p = probabilities[rows, columns].astype(float)
    chosen, counts = [], Counter()
    for i in np.argsort(np.where(targets[rows, columns] == 1, p, 1 - p), kind='stable'):
        if len(chosen) == number:
            break
        if counts[columns[i]] < per_label:
            counts[columns[i]] += 1
            chosen.append(i)
    return rows[chosen], columns[chosen]
