"""The paper's Fig. 2, left: attribute labels correlate more within an identity than between identities."""

from typing import Optional, Sequence, Tuple

import numpy as np

from ..errors import DataError
from ..evaluation import nan_mean
from .figure_utils import UNKNOWN, _new_figure


def choose_images(
    identity: np.ndarray, number: int = 35, same: Optional[int] = None, seed: int = 0
) -> Tuple[np.ndarray, np.ndarray]:
    """Samples images of one identity, and as many images of different other identities.

    Args:
        identity: ``(N, )``, -1 for unknown.
        number: Images per side; fewer if the data does not have as many.
        same: The one identity; by default the first of those with the most images.
        seed: Seed of the sampling.

    Returns:
        Two index arrays ``(n, )`` in ascending order, n <= number.

    Raises:
        DataError: The identity does not exist, or there are fewer than two images of it or two other identities.
    """
    identities, counts = np.unique(identity[identity >= 0], return_counts=True)
    if not len(identities):
        raise DataError('all identities are unknown: those of CelebA are in identity_CelebA.txt')
    if same is None:
        same = identities[counts.argmax()]
    if same not in identities:
        raise DataError(f'no image of identity {same}; the {len(identities)} identities start with {identities[:3]}')
    rng = np.random.default_rng(seed)
    own, others = np.flatnonzero(identity == same), identities[identities != same]
    number = min(number, len(own), len(others))
    if number < 2:
        raise DataError(
            f'{len(own)} images of identity {same} and {len(others)} other identities, at least two of each are needed'
        )
    different = [rng.choice(np.flatnonzero(identity == other)) for other in rng.choice(others, number, replace=False)]
    return np.sort(rng.choice(own, number, replace=False)), np.sort(different)


def plot_attribute_correlation(labels: Sequence[np.ndarray], titles: Sequence[str]):
    """Draws the correlations between images as a ``matplotlib.figure.Figure``: one matrix per set of images, -1 to 1.

    Args:
        labels: ``(N, L)`` per set, 1, 0, or -1 for unknown.
        titles: One per set.
    """
    figure = _new_figure(5.2 * len(labels) + 1, 5.4)
    axes = figure.subplots(1, len(labels), squeeze=False)[0]
    for axis, rows, title in zip(axes, labels, titles):
        matrix = _correlate_images(rows)
        # Undefined correlations are transparent.
        axis.set_facecolor(UNKNOWN)
        image = axis.imshow(matrix, vmin=-1, vmax=1, cmap='RdBu_r', interpolation='nearest')
        axis.set_title(f'{title}\nmean of two different images {_mean_off_diagonal(matrix):.2f}', fontsize=12)
        axis.set(xlabel='image', ylabel='image')
        axis.locator_params(integer=True)
    bar = figure.colorbar(image, ax=list(axes), shrink=0.85)
    bar.set_label('correlation between the attribute labels of two images', fontsize=11)
    return figure


def _correlate_images(labels: np.ndarray) -> np.ndarray:
    """Pearson correlation of images ``(N, N)`` over attributes known for all; NaN if an image's labels are equal."""
    known = labels[:, (labels >= 0).all(0)].astype(float)
    if known.shape[1] < 2:
        return np.full((len(labels), len(labels)), np.nan)
    with np.errstate(invalid='ignore'):
        return np.atleast_2d(np.corrcoef(known))


def _mean_off_diagonal(matrix: np.ndarray) -> float:
    """The mean of ``(N, N)`` without the diagonal and NaN; NaN if nothing is left."""
    return float(nan_mean(matrix[~np.eye(len(matrix), dtype=bool)]))
