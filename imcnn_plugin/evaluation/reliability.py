from dataclasses import dataclass

import numpy as np


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
