"""Within-identity agreement of labels or predictions.

According to the paper (section 3.2), the identity loss makes the predictions for one identity agree.
"""

from typing import Tuple

import numpy as np

# Attributes with at least this agreement beyond chance are identity-stable, the others transient. In CelebA, Male
# (0.97) and Young (0.82) are stable; Blurry (0.13), Smiling (0.26) and Wearing_Hat (0.34) are transient.
STABLE_AGREEMENT = 0.35


def sum_by_identity(identity: np.ndarray, *fields: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Sums over the images of each identity.

    Args:
        identity: ``(N, )``; each distinct value is an identity.
        fields: F arrays ``(N, L)``, numbers or booleans.

    Returns:
        Sums ``(F, I, L)``, identities in ascending order, and each image's index among them ``(N, )``.
    """
    identities, index = np.unique(identity, return_inverse=True)
    sums = np.zeros((len(fields), len(identities), fields[0].shape[1]))
    for total, field in zip(sums, fields):
        np.add.at(total, index, field)
    return sums, index


def _resampling_units(identity: np.ndarray) -> np.ndarray:
    """The unit that a bootstrap draws for each image, ``(N, )``: its identity or, if it is unknown, a group.

    Images of unknown identity count as independent. They are divided into at most 1,000 groups -1, -2, ..., to
    limit the number of counts.
    """
    units = np.array(identity)
    unknown = np.flatnonzero(units < 0)
    units[unknown] = -1 - np.arange(len(unknown)) % 1000
    return units


def within_identity_agreement(on: np.ndarray, counted: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """How often two images of an identity agree on an attribute, in percent, averaged over identities.

    Args:
        on: Labels or predictions ``(N, L)``, booleans.
        counted: Booleans ``(N, L)``: whether the image counts for the attribute.
        identity: ``(N, )``; images of unknown identity (-1) are ignored.

    Returns:
        ``(L, )``; NaN if no identity has two images that count.
    """
    images, positive = _images_and_positives(on & counted, counted, identity)
    negative = images - positive
    pairs = images * (images - 1)
    agreeing = positive * (positive - 1) + negative * (negative - 1)
    return 100 * _mean_share(agreeing, pairs, pairs > 0)


def agreement_beyond_chance(targets: np.ndarray, identity: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """How much more often two images of an identity agree on a label than images of two identities.

    Args:
        targets: ``(N, L)``, 1, 0, or -1 for unknown.
        identity: ``(N, )``; images of unknown identity (-1) are ignored.

    Returns:
        The agreement ``(L, )``: 0 if it is that between identities, 1 if labels never differ within an identity, NaN
        if all identities have the same label or none has two images. And the prevalence ``(L, )``: the share of
        positive images of each of these identities, averaged.
    """
    known, positive = targets >= 0, targets == 1
    observed = within_identity_agreement(positive, known, identity) / 100
    images, positives = _images_and_positives(positive, known, identity)
    prevalence = _mean_share(positives, images, images > 1)
    chance = prevalence**2 + (1 - prevalence) ** 2
    with np.errstate(invalid='ignore'):
        return (observed - chance) / (1 - chance), prevalence


def _images_and_positives(positive: np.ndarray, known: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """Numbers of images with a known label and of positive ones, ``(2, I, L)``."""
    rows = identity >= 0
    return sum_by_identity(identity[rows], known[rows], positive[rows])[0]


def _mean_share(part: np.ndarray, whole: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The mean of ``part / whole`` over the counted identities, ``(L, )``; NaN if there are none."""
    shares = np.divide(part, whole, out=np.zeros_like(whole), where=counted)
    with np.errstate(invalid='ignore'):
        return shares.sum(0) / counted.sum(0)
