from typing import Any, Optional, Sequence, Tuple, Union

import torch

from ..errors import ConfigError

# Axis orders of a 3-D backbone output: (samples, positions, channels) or (samples, channels, positions).
LAYOUTS = ('NLC', 'NCL')
# Axis order of a 4-D output with the channels last, as in timm's Swin. By default they come first.
CHANNELS_LAST = 'NHWC'


def flatten_features(
    feats: Union[torch.Tensor, Sequence],
    in_channels: int,
    in_size: Optional[Tuple[int, int]] = None,
    layout: Optional[str] = None,
) -> torch.Tensor:
    """Flattens the output of any backbone or neck to ``(N, C, P)``.

    Args:
        feats: A tensor, or the tuple of an mmpretrain backbone, whose last item is used: ``(N, C)``,
            ``(N, C, H, W)``, or a 3-D map described by ``layout``. That item may also be a tuple or list of vectors.
            Vectors of equal size are averaged, such as the two tokens ``(N, C)`` of a distilled DeiT. Other vectors
            are concatenated, such as a Conformer's convolution features and token, with C = C1 + C2.
        in_channels: Number of channels C.
        in_size: Height and width of the map, whose positions are kept. None averages over positions.
        layout: 'NLC' or 'NCL' for 3-D maps, 'NHWC' for 4-D maps with the channels last.

    Returns:
        ``(N, C, P)`` with P = H * W positions, or P = 1 after averaging.

    Raises:
        ConfigError: The features do not have the shape that the arguments describe.
    """
    if layout not in (None, CHANNELS_LAST, *LAYOUTS):
        raise ConfigError(f'layout is {layout!r}, expected one of {(*LAYOUTS, CHANNELS_LAST)}, or None')
    x = feats[-1] if isinstance(feats, (tuple, list)) and feats else feats
    if isinstance(x, (tuple, list)) and x and all(isinstance(part, torch.Tensor) and part.dim() == 2 for part in x):
        x = torch.stack(tuple(x)).mean(0) if len({part.shape for part in x}) == 1 else torch.cat(tuple(x), 1)
    if not isinstance(x, torch.Tensor) or x.dim() < 2:
        raise ConfigError(
            f'the backbone returns {_describe(feats)}: the last item must be one tensor for all images, or vectors; '
            'choose another out_type or out_indices, or add a neck that returns one'
        )
    given = tuple(x.shape)
    if x.dim() == 2:
        x = x.unsqueeze(2)
    elif x.dim() == 3:
        if layout not in LAYOUTS:
            raise ConfigError(
                f'the backbone returns a 3-D map {tuple(x.shape)}: set layout to one of {LAYOUTS} in the '
                'head, or let the backbone return one vector per image'
            )
        if layout == 'NLC':
            x = x.transpose(1, 2)
    else:
        x = (x.movedim(-1, 1) if layout == CHANNELS_LAST else x).flatten(2)
    positions = 1 if in_size is None else in_size[0] * in_size[1]
    if x.size(1) != in_channels or (in_size is not None and x.size(2) != positions):
        advice = ''
        if layout is None and given[-1:] == (in_channels,) and len(given) == 4:
            advice = f", or set layout='{CHANNELS_LAST}' if the map {given} has its channels last"
        raise ConfigError(
            f'the backbone returns {x.size(1)} channels at {x.size(2)} positions, but the head has '
            f'in_channels={in_channels}, in_size={in_size}: change them to match{advice}'
        )
    return x.mean(2, keepdim=True) if in_size is None else x


def _describe(feats: Any) -> str:
    """Describes the shapes of a backbone's output."""
    if isinstance(feats, torch.Tensor):
        return str(tuple(feats.shape))
    if isinstance(feats, (tuple, list)):
        return f'{type(feats).__name__} of {", ".join(map(_describe, feats)) or "nothing"}'
    return type(feats).__name__
