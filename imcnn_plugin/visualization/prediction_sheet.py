from typing import Sequence

import numpy as np

from .figure_utils import COLORS, RIGHT, UNKNOWN, WRONG, _new_figure

KINDS = {
    RIGHT: 'predicted and labelled',
    WRONG: 'only predicted',
    UNKNOWN: 'only labelled',
    COLORS[6]: 'predicted, label unknown',
}
# At most this many attributes are listed in full size.
LINES = 20
# Faces per row.
COLUMNS = 4


def plot_prediction_sheet(
    images: Sequence[np.ndarray],
    scores: np.ndarray,
    thresholds: np.ndarray,
    targets: np.ndarray,
    classes: Sequence[str],
):
    """Draws faces beside their predicted and labelled attributes as a ``matplotlib.figure.Figure``.

    The color shows whether an attribute is predicted, labelled or both. Others are not listed.

    Args:
        images: Faces ``(H, W, 3)``, uint8 RGB.
        scores: Probabilities ``(N, L)``.
        thresholds: ``(L, )``; scores at or above them are positive predictions.
        targets: ``(N, L)``, 1, 0, or -1 for unknown.
        classes: The L attribute names.
    """
    from matplotlib.patches import Patch

    rows = -(-len(images) // COLUMNS)
    figure = _new_figure(3.9 * COLUMNS, 2.8 * rows + 0.8)
    # Room for the titles.
    figure.get_layout_engine().set(h_pad=0.14)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    used = set()
    for axis, image, score, target in zip(axes, images, scores, targets):
        width = image.shape[1] / image.shape[0]
        axis.imshow(image, extent=(0, width, 0, 1))
        axis.set(xlim=(0, 1.5), ylim=(0, 1))
        known, predicted = target >= 0, score >= thresholds
        right = (predicted == (target == 1))[known]
        axis.set_title(f'{right.sum()} of {known.sum()} attributes right', fontsize=10, loc='left')
        colors = np.select([~predicted, target == 0, target == 1], [UNKNOWN, WRONG, RIGHT], COLORS[6])
        listed = [i for i in np.argsort(-score).tolist() if predicted[i] or target[i] == 1]
        used.update(colors[listed])
        for line, i in enumerate(listed):
            axis.text(
                width + 0.04,
                1 - (line + 0.5) / max(len(listed), LINES),
                f'{classes[i].replace("_", " ")} {100 * score[i]:.0f} %',
                fontsize=8 * min(1, LINES / len(listed)),
                color=colors[i],
                va='center',
            )
    handles = [Patch(color=color, label=kind) for color, kind in KINDS.items() if color in used]
    title = 'Attributes and their predicted probabilities'
    figure.legend(handles=handles, title=title, loc='outside lower center', ncols=4, fontsize=10, frameon=False)
    return figure
