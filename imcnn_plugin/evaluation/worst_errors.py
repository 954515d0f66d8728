from collections import Counter
from typing import Tuple

import numpy as np


def worst_mistakes(
    probabilities: np.ndarray, targets: np.ndarray, thresholds: np.ndarray, number: int, each: int
) -> Tuple[np.ndarray, np.ndarray]:
    """The wrong predictions of which a model is most certain.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        thresholds: ``(L, )``, the probabilities from which on a label is predicted.
        number: At most so many are given,
        each: and so many of one label.

    Returns:
        Rows ``(M, )`` and columns ``(M, )``, the least probability of the true label first.
    """
    rows, columns = np.nonzero((targets >= 0) & ((probabilities >= thresholds) != (targets == 1)))
    p = probabilities[rows, columns].astype(float)
    given, times = [], Counter()
    for i in np.argsort(np.where(targets[rows, columns] == 1, p, 1 - p), kind='stable'):
        if len(given) == number:
            break
        if times[columns[i]] < each:
            times[columns[i]] += 1
            given.append(i)
    return rows[given], columns[given]
