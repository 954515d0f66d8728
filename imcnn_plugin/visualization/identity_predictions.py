"""The paper's Fig. 3: predictions of several networks for one attribute in images of one identity."""

from typing import Sequence

import numpy as np

from .figure_utils import RIGHT, TRACK, UNKNOWN, WRONG, _new_figure

WORDS = {1: 'yes', 0: 'no', -1: 'unknown'}


def plot_identity_predictions(
    images: Sequence[np.ndarray],
    labels: np.ndarray,
    probabilities: np.ndarray,
    thresholds: np.ndarray,
    names: Sequence[str],
    attribute: str,
    title: str,
):
    """Draws images with their labels, above one row of bars per network, as a ``matplotlib.figure.Figure``.

    A bar's length is the probability. Blue is right, vermilion wrong, grey unknown.

    Args:
        images: N faces ``(H, W, 3)``, uint8 RGB.
        labels: ``(N, )``, 1, 0, or -1 for unknown.
        probabilities: ``(networks, N)``.
        thresholds: ``(networks, )``; probabilities at or above them are positive predictions.
        names: The networks' names.
        attribute: The attribute's name.
        title: Whose images these are.
    """
    aspect = max(image.shape[0] / image.shape[1] for image in images)
    heights = [1.45 * aspect] + [0.42] * len(names)
    # At least as wide as the title.
    figure = _new_figure(max(1.5 * len(images) + 1.2, 6.0), sum(heights) + 1.3)
    axes = figure.subplots(1 + len(names), len(images), squeeze=False, height_ratios=heights)
    for axis, image, label in zip(axes[0], images, labels):
        axis.imshow(image)
        axis.set_title(f'label: {WORDS[int(label)]}', fontsize=10)
        axis.set(xticks=[], yticks=[])
    known = labels >= 0
    for row, name, values, threshold in zip(axes[1:], names, probabilities, thresholds):
        right = (values >= threshold) == (labels == 1)
        for axis, value, is_right, is_known in zip(row, values, right, known):
            color, word = (UNKNOWN, '') if not is_known else (RIGHT, ', right') if is_right else (WRONG, ', wrong')
            axis.barh(0, value, height=1, color=color)
            axis.barh(0, 1, height=1, color=TRACK, zorder=0)
            axis.axvline(threshold, color='black', linewidth=1.2)
            axis.set(xlim=(0, 1), ylim=(-1.2, 1.2), xticks=[], yticks=[], frame_on=False)
            axis.set_xlabel(f'{100 * value:.0f} %{word}', fontsize=10, color=color, labelpad=2)
        correct = f'{name}\n{(right & known).sum()} of {known.sum()} right'
        row[0].set_ylabel(correct, fontsize=10, rotation=0, ha='right', va='center')
    figure.suptitle(f'{attribute.replace("_", " ")}, {len(images)} images of {title}', fontsize=12)
    figure.supxlabel('Each bar is a probability from 0 to 100 %; the line is the threshold of a yes.', fontsize=10)
    return figure
