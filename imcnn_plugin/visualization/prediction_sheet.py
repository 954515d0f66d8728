from pathlib import Path
from typing import Sequence, Union

import numpy as np

from .figure_file import RIGHT, UNKNOWN, WRONG, save_figure


def draw_prediction_sheet(
    images: Sequence[np.ndarray],
    scores: np.ndarray,
    thresholds: np.ndarray,
    targets: np.ndarray,
    classes: Sequence[str],
    path: Union[str, Path],
    columns: int = 4,
) -> None:
    """A picture of faces, each beside its predicted and its true attributes.

    Blue is predicted and true, orange predicted but not true, grey true but not predicted. Attributes that are neither
    are left out.

    Args:
        images: Faces ``(H, W, 3)``, uint8 RGB.
        scores: Probabilities ``(N, L)``.
        thresholds: ``(L, )``, from which on labels are predicted.
        targets: ``(N, L)``, 1, 0, or -1 for unknown.
        classes: The L names.
        path: Where the picture goes; its folder is made.
        columns: Faces in a row.
    """
    from matplotlib.figure import Figure

    rows = -(-len(images) // columns)
    figure = Figure(figsize=(3.9 * columns, 2.8 * rows + 0.5), layout='constrained')
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, score, target in zip(axes, images, scores, targets):
        height, width = image.shape[:2]
        axis.imshow(image, extent=(0, width / height, 0, 1))
        axis.set(xlim=(0, 1.5), ylim=(0, 1))
        known = target >= 0
        predicted = score >= thresholds
        right = (predicted == (target == 1))[known]
        axis.set_title(f'{right.sum()} of {known.sum()} right', fontsize=10, loc='left')
        listed = [i for i in np.argsort(-score) if predicted[i] or target[i] == 1]
        for place, i in enumerate(listed):
            colour = UNKNOWN if not predicted[i] else WRONG if target[i] == 0 else RIGHT
            axis.text(
                width / height + 0.04,
                1 - (place + 0.5) / max(len(listed), 16),
                f'{classes[i].replace("_", " ")} {100 * score[i]:.0f} %',
                fontsize=8,
                color=colour,
                va='center',
            )
    figure.suptitle('predicted with probability: blue true, orange not; grey: true but not predicted', fontsize=11)
    save_figure(figure, path, dpi=110)
