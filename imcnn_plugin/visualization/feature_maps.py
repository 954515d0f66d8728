"""The paper's Fig. 2, right: feature maps of one face in networks trained with different lambda."""

from typing import Sequence

import numpy as np

from .figure_utils import _new_figure
from .lambda_curves import _run_label


def plot_feature_maps(
    face: np.ndarray, maps: Sequence[np.ndarray], names: Sequence[str], layer: str = 'Conv3', channels: int = 4
):
    """Draws one row per network as a ``matplotlib.figure.Figure``.

    A row shows the face, the mean over channels overlaid on it and alone, and the channels with the largest spatial
    variance. Activation ranges differ between networks, so each map has its own color scale, printed below it.

    Args:
        face: ``(H, W, 3)`` as the networks see it, 0 to 1.
        maps: ``(C, h, w)`` per network.
        names: One per network; a number is taken as lambda.
        layer: The layer's name, for the title.
        channels: Channels per row.
    """
    columns = 3 + min([channels, *map(len, maps)])
    figure = _new_figure(2 * columns + 0.4, 2.4 * len(maps) + 0.8)
    axes = figure.subplots(len(maps), columns, squeeze=False)
    height, width = face.shape[:2]
    # Maps cover the same area as the face, whatever their resolution.
    extent = (0, width, height, 0)
    for row, network, name in zip(axes, maps, names):
        mean = network.mean(0)
        row[0].imshow(face, extent=extent)
        row[1].imshow(np.repeat(face.mean(2, keepdims=True), 3, 2), extent=extent)
        row[1].imshow(mean, extent=extent, cmap='inferno', alpha=0.5, interpolation='bilinear')
        row[0].set_ylabel(_run_label(name), fontsize=12)
        chosen = np.argsort(-network.var((1, 2)), kind='stable')[: columns - 3]
        for axis, image in zip(row[2:], [mean, *network[chosen]]):
            axis.imshow(image, extent=extent, cmap='inferno', interpolation='nearest')
            axis.set_xlabel(f'{image.min():.2g} to {image.max():.2g}', fontsize=9)
        titles = ['face', 'mean on the face', f'mean of {len(network)} channels', *(f'channel {i}' for i in chosen)]
        for axis, title in zip(row, titles):
            axis.set_title(title, fontsize=10)
            axis.set(xticks=[], yticks=[])
    size = ' x '.join(map(str, maps[0].shape[1:]))
    figure.suptitle(f'{layer}, {size}: mean over channels, and channels with the largest variance', fontsize=12)
    figure.supxlabel('Each map is dark where its activation is lowest and bright where it is highest.', fontsize=10)
    return figure
