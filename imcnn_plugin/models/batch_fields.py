from typing import Sequence, Union

import torch
from mmpretrain.structures import DataSample

from ..errors import ConfigError


def batch_field(data_samples: Union[DataSample, Sequence[DataSample]], key: str, device: torch.device) -> torch.Tensor:
    """One field of N samples of one image each, or of one sample with stacked fields, as a tensor ``(N, ...)``.

    Raises:
        ConfigError: The samples have no such field.
    """
    stacked = isinstance(data_samples, DataSample)
    if key not in (data_samples if stacked else data_samples[0]):
        raise ConfigError(f"the data samples have no '{key}': add it to PackInputs(algorithm_keys=('{key}', ))")
    if stacked:
        return data_samples.get(key).to(device, non_blocking=True)
    # Stack first for a single transfer. PackInputs leaves fields such as gt_identity as Python numbers.
    return torch.stack([torch.as_tensor(sample.get(key)) for sample in data_samples]).to(device, non_blocking=True)
