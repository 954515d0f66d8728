"""The right half of the paper's Fig. 2: what a layer, there Conv3, sees in one face under different lambda."""

from pathlib import Path
from typing import Sequence, Union

import numpy as np
import torch
from torch import nn

from ..errors import ConfigError
from .figure_file import save_figure
from .lambda_curves import caption


def find_layer(model: nn.Module, name: str) -> nn.Module:
    """A submodule by its dotted name.

    Raises:
        ConfigError: There is none; names the layers that are there, one level up.
    """
    layer, above = model, 'the model'
    for i, part in enumerate(parts := name.split('.')):
        children = dict(layer.named_children())
        if part not in children:
            raise ConfigError(f"there is no layer '{name}': {above} has {', '.join(children) or 'no layers'}")
        layer, above = children[part], '.'.join(parts[: i + 1])
    return layer


@torch.inference_mode()
def layer_maps(model: nn.Module, layer: str, inputs: torch.Tensor) -> np.ndarray:
    """A layer's output ``(N, C, h, w)`` for prepared images ``(N, 3, H, W)``.

    Raises:
        ConfigError: There is no such layer, it does not run, or it gives no maps.
    """
    outputs = []

    def keep(module, args, output):
        # The next layer may change the output in place.
        outputs.append(output.float().cpu().numpy().copy() if torch.is_tensor(output) else output)

    handle = find_layer(model, layer).register_forward_hook(keep)
    try:
        model(inputs)
    finally:
        handle.remove()
    if not outputs:
        raise ConfigError(f"layer '{layer}' does not run")
    if np.ndim(outputs[0]) != 4:
        found = f'shape {outputs[0].shape}' if isinstance(outputs[0], np.ndarray) else type(outputs[0]).__name__
        raise ConfigError(f"layer '{layer}' has no maps (N, C, h, w), but {found}: give a convolution's name")
    return outputs[0]


def strongest_channels(maps: np.ndarray, number: int) -> np.ndarray:
    """Indices of the channels of ``(C, h, w)`` that vary most over the map, the most varied first."""
    return np.argsort(-maps.var((1, 2)), kind='stable')[:number]


def plot_feature_maps(
    face: np.ndarray, maps: Sequence[np.ndarray], names: Sequence[str], layer: str = 'Conv3', channels: int = 4
):
    """A ``matplotlib.figure.Figure`` with a row for each network.

    A row has the face, the mean over channels on it and alone, and the channels that vary most. Networks differ in the
    size of their outputs, so each map has a scale of its own, whose ends stand below it.

    Args:
        face: ``(H, W, 3)`` as the networks see it, 0 to 1.
        maps: ``(C, h, w)`` of each network.
        names: The networks' names; a number is a lambda.
        layer: The layer's name.
        channels: Number of channels in a row.
    """
    from matplotlib.figure import Figure

    columns = 3 + min([channels, *map(len, maps)])
    figure = Figure(figsize=(2 * columns + 0.4, 2.4 * len(maps) + 0.8), layout='constrained')
    axes = figure.subplots(len(maps), columns, squeeze=False)
    height, width = face.shape[:2]
    # Maps and face cover the same area, whatever their pixels.
    extent = (0, width, height, 0)
    for row, network, name in zip(axes, maps, names):
        mean = network.mean(0)
        row[0].imshow(face, extent=extent)
        row[1].imshow(np.repeat(face.mean(2, keepdims=True), 3, 2), extent=extent)
        row[1].imshow(mean, extent=extent, cmap='inferno', alpha=0.5, interpolation='bilinear')
        row[0].set_ylabel(caption(name), fontsize=12)
        chosen = strongest_channels(network, columns - 3)
        for axis, picture in zip(row[2:], [mean, *network[chosen]]):
            axis.imshow(picture, extent=extent, cmap='inferno', interpolation='nearest')
            axis.set_xlabel(f'{picture.min():.2g} to {picture.max():.2g}', fontsize=9)
        titles = ['face', 'mean on the face', f'mean of {len(network)} channels', *(f'channel {i}' for i in chosen)]
        for axis, title in zip(row, titles):
            axis.set_title(title, fontsize=10)
            axis.set(xticks=[], yticks=[])
    size = ' x '.join(map(str, maps[0].shape[1:]))
    figure.suptitle(f'{layer}, {size}: the mean over channels, and the channels that vary most', fontsize=12)
    figure.supxlabel(
        'each map from its least (dark) to its greatest activation (bright), which stand below it', fontsize=10
    )
    return figure


def draw_feature_maps(
    face: np.ndarray,
    maps: Sequence[np.ndarray],
    names: Sequence[str],
    path: Union[str, Path],
    layer: str = 'Conv3',
    channels: int = 4,
) -> None:
    """Writes the picture of :func:`plot_feature_maps`; raises what ``save_figure`` does."""
    save_figure(plot_feature_maps(face, maps, names, layer, channels), path)
