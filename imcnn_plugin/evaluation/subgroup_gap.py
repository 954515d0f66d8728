"""How differently images with and without an attribute, such as Male, are predicted."""

from dataclasses import dataclass

import numpy as np

from .paired_bootstrap import draw_persons


@dataclass(frozen=True)
class Subgroups:
    """Two parts of the images, of which the first has an attribute by its label; percentages, NaN where undefined.

    Args:
        images: Number of images, ``(2, )``.
        accuracy: ``(2, L)``.
        prevalence: ``(2, L)``.
        gap: The first part's accuracy less the second's, ``(L + 1, )``; the last is of the means over attributes.
        low: Lower ends of the gaps' 95 % intervals over persons, ``(L + 1, )``; NaN with fewer than two persons.
        high: Upper ends.
    """

    images: np.ndarray
    accuracy: np.ndarray
    prevalence: np.ndarray
    gap: np.ndarray
    low: np.ndarray
    high: np.ndarray


def compare_subgroups(
    predicted: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
    column: int,
    resamples: int = 2000,
    seed: int = 0,
) -> Subgroups:
    """Compares images that have an attribute with those that have not.

    Args:
        predicted: Booleans ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
        identity: ``(N, )``. Persons are drawn anew, since images of one are not independent; an image of an unknown
            one (-1) stands for itself.
        column: The attribute that parts the images; those for which it is unknown are left out.
        resamples: Number of draws of persons.
        seed: Seeds them.
    """
    known, on = targets >= 0, targets == 1
    persons, person = np.unique(np.where(identity < 0, -1 - np.arange(len(identity)), identity), return_inverse=True)
    # Of each person and part, labels that are predicted right, known and on: (P, 2, 3, L).
    counts = np.zeros((len(persons), 2, 3, targets.shape[1]))
    for i, members in enumerate((on[:, column], known[:, column] & ~on[:, column])):
        cells = np.stack([known & (predicted == on), known, on], 1)
        np.add.at(counts[:, i], person[members], cells[members])
    right, labelled, positive = np.moveaxis(counts.sum(0), 1, 0)
    with np.errstate(invalid='ignore'):
        accuracy, prevalence = 100 * right / labelled, 100 * positive / labelled
    ends = np.full((2, targets.shape[1] + 1), np.nan)
    if len(persons) > 1:
        scored = counts[:, :, :2]
        draws = draw_persons(len(persons), resamples, seed, scored[0].size)
        values = np.concatenate([gaps(np.tensordot(times.astype(float), scored, 1)) for times in draws])
        defined = ~np.isnan(values).all(0)
        ends[:, defined] = np.nanquantile(values[:, defined], [0.025, 0.975], axis=0)
    images = np.array([on[:, column].sum(), (known & ~on)[:, column].sum()])
    return Subgroups(images, accuracy, prevalence, gaps(counts.sum(0)[:, :2]), *ends)


def gaps(counts: np.ndarray) -> np.ndarray:
    """Differences in accuracy ``(..., L + 1)`` from right and known labels ``(..., 2, 2, L)``.

    The last is that of the means. An attribute that is undefined in one part does not count in the means.
    """
    with np.errstate(invalid='ignore'):
        accuracy = 100 * counts[..., 0, :] / counts[..., 1, :]
    gap = accuracy[..., 0, :] - accuracy[..., 1, :]
    mean = np.ma.masked_invalid(gap).mean(-1, keepdims=True).filled(np.nan)
    return np.concatenate([gap, mean], -1)
