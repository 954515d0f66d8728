import numpy as np
import torch
from torch import nn

from ..errors import ConfigError


@torch.inference_mode()
def layer_maps(model: nn.Module, layer: str, inputs: torch.Tensor) -> np.ndarray:
    """A convolutional layer's output ``(N, C, h, w)`` for preprocessed images ``(N, 3, H, W)``.

    Args:
        layer: The dotted name of a submodule, such as 'backbone.layers.conv3'.

    Raises:
        ConfigError: The model has no such layer, it is not executed, or its output has another shape.
    """
    outputs = []

    def keep(module, args, output):
        # Copied, since the next layer may modify it in place.
        outputs.append(output.float().cpu().numpy().copy() if torch.is_tensor(output) else output)

    handle = _find_layer(model, layer).register_forward_hook(keep)
    try:
        model(inputs)
    finally:
        handle.remove()
    if not outputs:
        raise ConfigError(f"layer '{layer}' is not executed in the forward pass: choose another layer")
    if np.ndim(outputs[0]) != 4:
        found = f'shape {outputs[0].shape}' if isinstance(outputs[0], np.ndarray) else type(outputs[0]).__name__
        raise ConfigError(f"layer '{layer}' outputs {found}, not maps (N, C, h, w): choose a convolution")
    return outputs[0]


def _find_layer(model: nn.Module, name: str) -> nn.Module:
    """A submodule by its dotted name; the error names the existing layers at the level where the search ended."""
    layers = dict(model.named_modules(remove_duplicate=False))
    if name in layers:
        return layers[name]
    parent = name
    while parent not in layers:
        parent = parent.rpartition('.')[0]
    found = ', '.join(dict(layers[parent].named_children())) or 'no layers'
    raise ConfigError(f"there is no layer '{name}': {parent or 'the model'} has {found}")
