from typing import Optional, Sequence, Tuple, Union

import torch
from mmpretrain.structures import DataSample

from ..errors import ConfigError

# What the 3-D output of a backbone means: (samples, positions, channels) or (samples, channels, positions).
LAYOUTS = ('NLC', 'NCL')


def to_positions(
    feats: Union[torch.Tensor, Sequence],
    in_channels: int,
    in_size: Optional[Tuple[int, int]] = None,
    layout: Optional[str] = None,
) -> torch.Tensor:
    """Brings what a backbone or neck returns to one form.

    Args:
        feats: A tensor, or the tuple of an mmpretrain backbone, whose last item is taken: ``(N, C)``,
            ``(N, C, H, W)``, or a 3-D map as ``layout`` says. Where that item is itself a tuple, as the two tokens
            ``(N, C)`` of a distilled DeiT, its mean is taken.
        in_channels: C.
        in_size: Height and width of the map, whose positions are kept. None averages over the positions.
        layout: 'NLC' or 'NCL', for 3-D maps.

    Returns:
        ``(N, C, P)`` with P = H * W, or 1 where positions were averaged.

    Raises:
        ConfigError: The features have another shape than the settings say.
    """
    x = feats[-1] if isinstance(feats, (tuple, list)) else feats
    if isinstance(x, (tuple, list)):
        x = torch.stack(tuple(x)).mean(0)
    if x.dim() == 2:
        x = x.unsqueeze(2)
    elif x.dim() == 3:
        if layout not in LAYOUTS:
            raise ConfigError(
                f'the backbone gives a 3-D map {tuple(x.shape)}: set layout to one of {LAYOUTS} in the '
                'head, or have the backbone return one vector an image'
            )
        if layout == 'NLC':
            x = x.transpose(1, 2)
    else:
        x = x.flatten(2)
    positions = 1 if in_size is None else in_size[0] * in_size[1]
    if x.size(1) != in_channels or (in_size is not None and x.size(2) != positions):
        raise ConfigError(
            f'the backbone gives {x.size(1)} channels at {x.size(2)} positions, but the head is set to '
            f'in_channels={in_channels}, in_size={in_size}: make the two agree'
        )
    return x.mean(2, keepdim=True) if in_size is None else x


def batch_field(data_samples: Union[DataSample, Sequence[DataSample]], key: str, device: torch.device) -> torch.Tensor:
    """One field of all data samples of a batch as a tensor ``(N, ...)``.

    Args:
        data_samples: N samples of one image each, or one sample whose fields are stacked already.
        key: The field's name.
        device: Where the result is wanted.

    Raises:
        ConfigError: The samples have no such field.
    """
    stacked = isinstance(data_samples, DataSample)
    if key not in (data_samples if stacked else data_samples[0]):
        raise ConfigError(f"the data samples have no '{key}': name it in PackInputs(algorithm_keys=('{key}', ))")
    if stacked:
        return data_samples.get(key).to(device, non_blocking=True)
    # One transfer for the batch. Fields that PackInputs does not know, such as gt_identity, are still Python numbers.
    return torch.stack([torch.as_tensor(sample.get(key)) for sample in data_samples]).to(device, non_blocking=True)
