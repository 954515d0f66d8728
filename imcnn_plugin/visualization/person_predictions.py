"""The paper's Fig. 3: what several networks say about one attribute in the images of one person."""

from pathlib import Path
from typing import Sequence, Union

import numpy as np

from .figure_file import RIGHT, UNKNOWN, WRONG, save_figure

WORDS = {1: 'yes', 0: 'no', -1: 'unknown'}


def plot_person_predictions(
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    names: Sequence[str],
    attribute: str,
    person: str = 'one person',
):
    """A ``matplotlib.figure.Figure``: the images and their labels side by side, below them a row for each network.

    A bar is as long as the probability; blue is right, vermilion wrong, grey where the label is unknown.

    Args:
        images: N faces ``(H, W, 3)``, uint8 RGB.
        labels: ``(N, )``, 1, 0, or -1 for unknown.
        probabilities: Of each network, ``(networks, N)``.
        thresholds: Of each network, ``(networks, )``, from which on the answer is yes.
        names: The networks' names.
        attribute: The attribute's name.
        person: Who it is.
    """
    from matplotlib.figure import Figure

    tall = max(image.shape[0] / image.shape[1] for image in images)
    heights = [1.45 * tall] + [0.62] * len(names)
    # Wide enough for the words above and below.
    size = (max(1.5 * len(images) + 1.2, 6.0), sum(heights) + 1.3)
    figure = Figure(figsize=size, layout='constrained')
    axes = figure.subplots(1 + len(names), len(images), squeeze=False, height_ratios=heights)
    for axis, image, label in zip(axes[0], images, labels):
        axis.imshow(image)
        axis.set_title(f'label: {WORDS[int(label)]}', fontsize=10)
        axis.set(xticks=[], yticks=[])
    for row, name, values, threshold in zip(axes[1:], names, probabilities, thresholds):
        right = (values >= threshold) == (labels == 1)
        known = labels >= 0
        for axis, value, is_right, is_known in zip(row, values, right, known):
            colour = UNKNOWN if not is_known else RIGHT if is_right else WRONG
            word = '' if not is_known else ', right' if is_right else ', wrong'
            axis.barh(0, value, height=1, color=colour)
            axis.axvline(threshold, color='black', linewidth=0.8, linestyle=':')
            axis.set(xlim=(0, 1), ylim=(-0.5, 0.5), xticks=[], yticks=[])
            axis.set_xlabel(f'{100 * value:.0f} %{word}', fontsize=10, color=colour, labelpad=2)
        row[0].set_ylabel(
            f'{name}\n{(right & known).sum()} of {known.sum()}', fontsize=10, rotation=0, ha='right', va='center'
        )
    figure.suptitle(f'{attribute.replace("_", " ")}, {len(images)} images of {person}', fontsize=12)
    figure.supxlabel('bar: probability, 0 to 100 %; dotted: from where the answer is yes', fontsize=10)
    return figure


def draw_person_predictions(
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    names: Sequence[str],
    attribute: str,
    path: Union[str, Path],
    person: str = 'one person',
) -> None:
    """Writes the picture of :func:`plot_person_predictions`; raises what ``save_figure`` does."""
    save_figure(plot_person_predictions(images, labels, probabilities, thresholds, names, attribute, person), path)
