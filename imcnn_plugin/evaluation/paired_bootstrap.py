"""Intervals for the difference of two models on the same images, by bootstrap over persons.

Images of one person are not independent, so persons and not images are drawn anew (a cluster bootstrap).
"""

from typing import Iterator, Tuple

import numpy as np

# Counts of this many draws are held at once: 32 MB.
CHUNK = 2**22


def draw_persons(persons: int, resamples: int, seed: int, width: int = 1) -> Iterator[np.ndarray]:
    """How often each person is drawn, persons being drawn with replacement as often as there are some.

    Args:
        persons: Number P.
        resamples: Number B of draws.
        seed: Seeds them.
        width: Numbers that are made of one draw, where these are more than P.

    Yields:
        ``(b, P)``, as many draws at once as fit; B in all.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, rows := max(1, CHUNK // max(persons, width))):
        yield rng.multinomial(persons, np.full(persons, 1 / persons), size=min(rows, resamples - start))


def accuracy(correct: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Labels predicted right, in percent of those that are known.

    Args:
        correct: ``(..., P)``, of each person the labels that were predicted right.
        labelled: ``(P, )``, of each person the labels that are known.

    Returns:
        ``(...)``.
    """
    return 100 * correct.sum(-1) / labelled.sum()


def resampled_differences(
    correct: np.ndarray, baseline: np.ndarray, labelled: np.ndarray, resamples: int = 10000, seed: int = 0
) -> np.ndarray:
    """Differences in accuracy on persons drawn with replacement, the same ones for both models.

    Args:
        correct: ``(S, P)``, for S seeds and P persons the labels that were predicted right.
        baseline: ``(R, P)``, those of the other model's R seeds.
        labelled: ``(P, )``, each person's labels that are known, the same for both.
        resamples: Number B of draws of P persons.
        seed: Seeds the draws.

    Returns:
        ``(B, )``, the mean over seeds of ``correct``'s accuracy minus that of ``baseline``, in points of percent.
    """
    # The labels are shared, so that the mean over seeds can be taken first.
    gain = correct.mean(0) - baseline.mean(0)
    draws = draw_persons(len(labelled), resamples, seed)
    return np.concatenate([100 * (times @ gain) / (times @ labelled) for times in draws])


def paired_interval(
    correct: np.ndarray,
    baseline: np.ndarray,
    labelled: np.ndarray,
    level: float = 0.95,
    resamples: int = 10000,
    seed: int = 0,
) -> Tuple[float, float, float]:
    """The difference in accuracy and its percentile interval, in points of percent.

    It says how far other persons would change the difference between these trained models. Other seeds would change it
    too, which is the standard deviation over seeds.

    Args:
        correct: ``(S, P)``, see :func:`resampled_differences`.
        baseline: ``(R, P)``.
        labelled: ``(P, )``.
        level: The share of intervals that should cover the difference in the population.
        resamples: Number of draws.
        seed: Seeds the draws.

    Returns:
        Difference, lower and upper end. The ends are NaN where there are fewer than two persons.

    Raises:
        ValueError: The shapes do not fit.
    """
    persons = labelled.shape
    if correct.ndim != 2 or baseline.ndim != 2 or not correct.shape[1:] == baseline.shape[1:] == persons:
        raise ValueError(f'expected (S, P), (R, P), (P, ), found {correct.shape}, {baseline.shape}, {persons}')
    difference = accuracy(correct, labelled).mean() - accuracy(baseline, labelled).mean()
    if len(labelled) < 2:
        return difference, np.nan, np.nan
    values = resampled_differences(correct, baseline, labelled, resamples, seed)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return difference, low, high
