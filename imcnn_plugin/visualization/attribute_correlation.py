"""The left half of the paper's Fig. 2: attribute labels of one person's images are alike, those of many are not."""

from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import DataError
from .figure_file import UNKNOWN, save_figure


def correlate_images(labels: np.ndarray) -> np.ndarray:
    """Pearson's correlation of each two images' attribute labels.

    Args:
        labels: ``(N, L)``, 1, 0, or -1 for unknown. Attributes that are unknown for an image are left out for all N.

    Returns:
        ``(N, N)``, -1 to 1; NaN in the row and the column of an image whose labels are all the same, and
        everywhere if no attribute is known for all.
    """
    known = labels[:, (labels >= 0).all(0)].astype(float)
    if not known.shape[1]:
        return np.full((len(labels), len(labels)), np.nan)
    deviation = known - known.mean(1, keepdims=True)
    length = np.linalg.norm(deviation, axis=1, keepdims=True)
    # Without a deviation there is nothing to correlate.
    unit = np.divide(deviation, length, out=np.full_like(deviation, np.nan), where=length > 0)
    return unit @ unit.T


def mean_off_diagonal(matrix: np.ndarray) -> float:
    """The mean of ``(N, N)`` without the diagonal and without NaN; NaN where nothing is left."""
    values = matrix[~np.eye(len(matrix), dtype=bool)]
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan


def choose_images(
    identity: np.ndarray, images: int = 35, person: Optional[int] = None, seed: int = 0
) -> Tuple[np.ndarray, np.ndarray]:
    """Rows of one person, and as many rows of that many others; fewer than asked where the data has no more.

    Args:
        identity: ``(N, )``, -1 for unknown.
        images: Number of images on each side.
        person: By default the first of those with the most images.
        seed: Draws the others, and which of their images.

    Returns:
        Two arrays ``(n, )`` of rows in rising order, n <= images.

    Raises:
        DataError: There is no such person, or there are not two images of one person and of two others.
    """
    persons, counts = np.unique(identity[identity >= 0], return_counts=True)
    if person is None and len(persons):
        person = persons[counts.argmax()]
    if person not in persons:
        raise DataError(f'no image of identity {person}: {len(persons)} identities are known, {persons[:3]} and on')
    rng = np.random.default_rng(seed)
    same = np.flatnonzero(identity == person)
    others = persons[persons != person]
    number = min(images, len(same), len(others))
    if number < 2:
        raise DataError(
            f'{len(same)} images of identity {person} and {len(others)} other identities: two are needed of each'
        )
    chosen = rng.choice(others, number, replace=False)
    different = [rng.choice(np.flatnonzero(identity == other)) for other in chosen]
    return np.sort(rng.choice(same, number, replace=False)), np.sort(different)


def plot_attribute_correlation(labels: Sequence[np.ndarray], titles: Sequence[str]):
    """A ``matplotlib.figure.Figure``: a matrix for each set of images, one colour bar, -1 to 1.

    Args:
        labels: ``(N, L)`` for each set, see :func:`correlate_images`.
        titles: What each set is.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(labels) + 1, 5.4), layout='constrained')
    axes = figure.subplots(1, len(labels), squeeze=False)[0]
    for axis, rows, title in zip(axes, labels, titles):
        matrix = correlate_images(rows)
        # What is undefined stays grey.
        axis.set_facecolor(UNKNOWN)
        picture = axis.imshow(matrix, vmin=-1, vmax=1, cmap='RdBu_r', interpolation='nearest')
        axis.set_title(f'{title}\nmean off the diagonal {mean_off_diagonal(matrix):.2f}', fontsize=12)
        axis.set(xlabel='image', ylabel='image')
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.yaxis.get_major_locator().set_params(integer=True)
    bar = figure.colorbar(picture, ax=list(axes), shrink=0.85)
    bar.set_label("correlation of two images' attribute labels", fontsize=11)
    return figure


def draw_attribute_correlation(labels: Sequence[np.ndarray], titles: Sequence[str], path: Union[str, Path]) -> None:
    """Writes the picture of :func:`plot_attribute_correlation`; raises what ``save_figure`` does."""
    save_figure(plot_attribute_correlation(labels, titles), path)
