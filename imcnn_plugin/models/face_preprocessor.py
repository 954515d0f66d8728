from typing import Any, Optional, Sequence, Union

import torch
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import BaseDataElement
from mmpretrain.models.utils import RandomBatchAugment
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from ..errors import ConfigError
from .batch_fields import batch_field, set_scores, to_device
from .mix_known import mix_known


@MODELS.register_module()
class FacePreprocessor(BaseDataPreprocessor):
    """Moves a uint8 batch to the device, then crops, flips and normalizes it there.

    Augmentation runs here rather than in the data pipeline, so that files, packs and any other loader share it.

    Args:
        mean: Mean of the R, G and B channels, on a scale of 0 to 255.
        std: Standard deviation of the R, G and B channels, on the same scale.
        to_rgb: Whether to convert the batch from BGR, OpenCV's order, to RGB.
        flip_prob: Probability of a horizontal flip during training.
        crop_size: Side of a square crop in pixels: a random crop in training, a center crop otherwise. None: no crop.
        batch_augments: Options of mmpretrain's ``RandomBatchAugment``, such as
            ``dict(augments=[dict(type='Mixup', alpha=0.8)])``; its ``ImageClassifier`` passes ``train_cfg`` here. A
            label mixed with an unknown one is unknown, and mixed images have no identity.
        non_blocking: Whether to copy to the device asynchronously.

    Raises:
        ConfigError: ``crop_size``, ``flip_prob`` or ``std`` is out of range.
    """

    def __init__(
        self,
        mean: Sequence[float] = (127.5, 127.5, 127.5),
        std: Sequence[float] = (127.5, 127.5, 127.5),
        to_rgb: bool = True,
        flip_prob: float = 0.0,
        crop_size: Optional[int] = None,
        batch_augments: Optional[dict] = None,
        non_blocking: bool = True,
    ):
        super().__init__(non_blocking=non_blocking)
        self.non_blocking = non_blocking
        if not (crop_size is None or isinstance(crop_size, int) and crop_size > 0):
            raise ConfigError(f'crop_size is {crop_size!r}, expected a positive integer or None')
        if not 0 <= flip_prob <= 1:
            raise ConfigError(f'flip_prob is {flip_prob}, expected 0 to 1')
        if min(std) <= 0:
            raise ConfigError(f'std is {std}, expected positive numbers')
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.to_rgb = to_rgb
        self.flip_prob = flip_prob
        self.crop_size = crop_size
        self.batch_augments = RandomBatchAugment(**batch_augments) if batch_augments else None

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepares one batch.

        Args:
            data: ``inputs``, uint8 ``(N, 3, H, W)`` or a list of N tensors ``(3, H, W)``, plus any other model inputs.
            training: Whether to augment.

        Returns:
            The same dict on the device, with ``inputs`` as float ``(N, 3, H, W)``.

        Raises:
            ConfigError: The images are smaller than ``crop_size``.
        """
        # On a CPU the batch is already there, and cast_data would take as long as the rest of this method.
        x = data['inputs']
        if isinstance(x, (list, tuple)):
            x = torch.stack(x)
        if self.device.type != 'cpu':
            data = self.cast_data({**data, 'inputs': x})
            x = data['inputs']
        crop = self.crop_size
        if crop and min(x.shape[2:]) < crop:
            raise ConfigError(f'crop_size is {crop}, but the images are {x.size(2)}x{x.size(3)}: use larger images')
        if training and (self.flip_prob or crop):
            x = self._augment(x)
        else:
            if crop:
                top, left = ((side - crop) // 2 for side in x.shape[2:])
                x = x[:, :, top : top + crop, left : left + crop]
            if self.to_rgb:
                x = x.flip(1)
        x = (x - self.mean).div_(self.std)
        if training and self.batch_augments is not None:
            x = self._mix(x, data['data_samples'])
        return {**data, 'inputs': x}

    @property
    def device(self) -> torch.device:
        """The device that batches are moved to. mmengine's own property does not follow when a parent module moves."""
        return self.mean.device

    def cast_data(self, data: Any) -> Any:
        """Copies a batch, or any part of one, to the device. A field of several samples takes a single copy."""
        if isinstance(data, torch.Tensor) and self.non_blocking:
            return to_device(data, self.device)
        if isinstance(data, BaseDataElement):
            [data] = self._cast_samples([data])
            return data
        if isinstance(data, (list, tuple)) and data and all(isinstance(sample, BaseDataElement) for sample in data):
            return self._cast_samples(data)
        return super().cast_data(data)

    def _cast_samples(self, samples: Sequence[BaseDataElement]) -> Sequence[BaseDataElement]:
        moved = [sample.new() for sample in samples]
        for key in dict.fromkeys(key for sample in samples for key in sample.keys()):
            owners = [sample for sample in moved if key in sample]
            values = [sample.get(key) for sample in owners]
            tensors = all(isinstance(value, torch.Tensor) and value.device != self.device for value in values)
            if tensors and len({(value.shape, value.dtype) for value in values}) == 1:
                values = torch.stack(values)
            for sample, value in zip(owners, self.cast_data(values)):
                sample.set_data({key: value})
        return type(samples)(moved)

    def _mix(self, x: torch.Tensor, samples: Union[DataSample, Sequence[DataSample]]) -> torch.Tensor:
        """Mixes the images and the samples' labels."""
        if 'gt_score' not in (samples if isinstance(samples, DataSample) else samples[0]):
            raise ConfigError(
                'the data samples have no gt_score to mix: use a dataset that has the labels as zeros and ones in '
                'gt_score, such as AttributeCSV, or remove the batch augmentations'
            )
        x, score = mix_known(self.batch_augments, x, batch_field(samples, 'gt_score', x.device))
        set_scores(samples, score)
        if isinstance(samples, DataSample):
            samples.gt_identity = torch.full((len(x),), -1, device=x.device)
        else:
            for sample in samples:
                sample.gt_identity = -1
        return x

    def _augment(self, x: torch.Tensor) -> torch.Tensor:
        """Random crops, random flips and the channel order."""
        if self.crop_size:
            position = torch.rand(len(x), 2, device=x.device).unbind(1)
            # The sides stay Python numbers: the GPU would have to wait for a tensor.
            top, left = ((p * (side - self.crop_size + 1)).long() for p, side in zip(position, x.shape[2:]))
            # A view of all windows; indexing copies one per image.
            windows = x.unfold(2, self.crop_size, 1).unfold(3, self.crop_size, 1)
            x = windows[torch.arange(len(x), device=x.device), :, top, left]
        if self.flip_prob:
            flipped = torch.rand(len(x), 1, 1, 1, device=x.device) < self.flip_prob
            x = torch.where(flipped, x.flip(3), x)
        if self.to_rgb:
            x = x.flip(1)
        # Convolutions run faster on channels-last input.
        return x.contiguous(memory_format=torch.channels_last)
