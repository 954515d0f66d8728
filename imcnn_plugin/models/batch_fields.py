from typing import Sequence, Union

import torch
from mmengine.structures import BaseDataElement
from mmpretrain.structures import label_to_onehot

from ..errors import ConfigError, DataError

# One sample per image, or one sample with stacked fields, from any framework that builds on mmengine.
Samples = Union[BaseDataElement, Sequence[BaseDataElement]]


def to_device(tensor: torch.Tensor, device: Union[str, torch.device]) -> torch.Tensor:
    """Moves a tensor to a device. Copies to a GPU are asynchronous."""
    device = torch.device(device)
    if device.type == 'cuda' and tensor.device.type == 'cpu':
        # From pageable memory, CUDA would start the copy only after all earlier work on the GPU.
        tensor = tensor.pin_memory()
    # A copy to the CPU must be complete before it is read.
    return tensor.to(device, non_blocking=device.type != 'cpu')


def batch_field(data_samples: Samples, key: str, device: torch.device) -> torch.Tensor:
    """One field of N single samples, or of one sample with stacked fields, as a tensor ``(N, ...)``.

    Raises:
        ConfigError: The samples have no such field.
    """
    stacked = isinstance(data_samples, BaseDataElement)
    if key not in (data_samples if stacked else data_samples[0]):
        raise ConfigError(f"the data samples have no '{key}': add it to PackInputs(algorithm_keys=('{key}', ))")
    if stacked:
        return to_device(data_samples.get(key), device)
    # Stack first for a single transfer. PackInputs leaves fields such as gt_identity as Python numbers.
    return to_device(torch.stack([torch.as_tensor(sample.get(key)) for sample in data_samples]), device)


def batch_labels(data_samples: Samples, num_classes: int, device: torch.device) -> torch.Tensor:
    """The labels of a batch, ``(N, num_classes)``: 1, 0, or -1 for unknown.

    They are the samples' ``gt_score``. For single samples without it, they are built from the indices in ``gt_label``.

    Raises:
        ConfigError: The samples have neither field.
        DataError: ``gt_label`` does not hold indices of labels.
    """
    if isinstance(data_samples, BaseDataElement) or 'gt_score' in data_samples[0]:
        return batch_field(data_samples, 'gt_score', device)
    if 'gt_label' not in data_samples[0]:
        raise ConfigError(
            "the data samples have no 'gt_score' and no 'gt_label': use a dataset with labels, and a pipeline that "
            'keeps them'
        )
    return to_device(torch.stack([multi_hot(sample.get('gt_label'), num_classes) for sample in data_samples]), device)


def batch_identity(data_samples: Samples, number: int, device: torch.device) -> torch.Tensor:
    """The dataset's identities ``(number, )`` for a batch of ``number`` images, -1 for unknown."""
    if 'identity' not in (data_samples if isinstance(data_samples, BaseDataElement) else data_samples[0]):
        return torch.full((number,), -1, device=device)
    return batch_field(data_samples, 'identity', device)


def set_scores(data_samples: Samples, score: torch.Tensor) -> None:
    """Sets ``gt_score`` of a batch to the rows of ``(N, L)``."""
    if isinstance(data_samples, BaseDataElement):
        data_samples.gt_score = score
    else:
        for sample, row in zip(data_samples, score):
            sample.set_gt_score(row)


def multi_hot(indices: torch.Tensor, num_classes: int) -> torch.Tensor:
    """A vector ``(num_classes, )`` that is 1 at the indices of an image's labels and 0 elsewhere.

    Raises:
        DataError: An index occurs twice, as in a vector of zeros and ones, or is out of range.
    """
    # A single transfer from a GPU.
    values = torch.as_tensor(indices).tolist()
    if len(set(values)) < len(values):
        raise DataError(
            f'gt_label is {values}, expected the indices of the labels, each once: zeros and ones belong in gt_score'
        )
    if not set(values) <= set(range(num_classes)):
        raise DataError(f'gt_label is {values}, expected indices of the {num_classes} labels, from 0')
    return label_to_onehot(indices, num_classes)


def _indices_by_row(mask: torch.Tensor) -> Sequence[torch.Tensor]:
    """The indices of the true entries in each row of a mask ``(N, L)``; waits for a GPU twice, not once per row."""
    return mask.nonzero()[:, 1].split(mask.sum(1).cpu().tolist())
