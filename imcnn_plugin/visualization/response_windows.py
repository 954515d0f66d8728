from typing import Optional, Sequence, Tuple

import numpy as np

from .figure_utils import RIGHT, WRONG, _new_figure


def plot_response_windows(
    photos: Sequence[np.ndarray],
    networks: Sequence[Tuple[str, Sequence[Tuple[np.ndarray, np.ndarray]], np.ndarray]],
    boxes: Sequence[Optional[np.ndarray]],
):
    """Draws photos, their response maps and the resulting windows as a ``matplotlib.figure.Figure``.

    Args:
        photos: N photos ``(H, W, 3)``, uint8 RGB.
        networks: For each network its name; N response maps ``(h, w)``, each with the part of the photo ``(4, )`` that
            it covers, left, top, right, bottom in pixels; and at least N windows ``(4, )``.
        boxes: What a detector found in each photo, or None.
    """
    # Rows as high as their photos, of 2.2 inches in width.
    heights = [2.2 * height / width for height, width, _ in (photo.shape for photo in photos)]
    figure = _new_figure(2.2 * (1 + len(networks)), sum(heights) + 0.1 * len(photos) + 0.6)
    axes = figure.subplots(len(photos), 1 + len(networks), squeeze=False, height_ratios=heights)
    for i, (row, photo, box) in enumerate(zip(axes, photos, boxes)):
        height, width = photo.shape[:2]
        for axis in row:
            axis.imshow(photo)
            axis.set(xticks=[], yticks=[])
        for axis, (_, responses, windows) in zip(row[1:], networks):
            response, (left, top, right, bottom) = responses[i]
            axis.imshow(
                response, extent=(left, right, bottom, top), cmap='inferno', alpha=0.6, interpolation='bilinear'
            )
            _draw_window(axis, windows[i], RIGHT)
        if box is not None:
            _draw_window(row[0], box, WRONG)
        _draw_window(row[0], networks[-1][2][i], RIGHT)
        for axis in row:
            axis.set(xlim=(0, width), ylim=(height, 0))
    for axis, title in zip(axes[0], ['photo', *(f'{name}: response' for name, *_ in networks)]):
        axis.set_title(title, fontsize=10)
    figure.supxlabel("Blue is the network's window, orange the face detector's box.", fontsize=9)
    return figure


def _draw_window(axis, window: np.ndarray, color: str) -> None:
    from matplotlib.patches import Rectangle

    left, top, right, bottom = window
    axis.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=2))
