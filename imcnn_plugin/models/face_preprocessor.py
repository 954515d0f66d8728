from typing import Optional, Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from mmpretrain.registry import MODELS

from ..errors import ConfigError


@MODELS.register_module()
class FacePreprocessor(BaseDataPreprocessor):
    """Takes a uint8 batch to the device and there crops, flips and normalises it.

    Augmentation lives here and not in the reading pipeline, so that every way of reading shares it.

    Args:
        mean: Subtracted from the R, G, B channels, in units of 0 to 255.
        std: Divides the R, G, B channels, in units of 0 to 255.
        to_rgb: The batch is BGR, as OpenCV reads it.
        flip_prob: Probability of a horizontal flip in training.
        crop_size: Side of a square crop in pixels, at a random place in training, else in the centre. None: no crop.
        batch_augments: mmpretrain's ``ImageClassifier`` passes its ``train_cfg`` here. Mixed images have no identity,
            so it must be None.
        non_blocking: Copy to the device without waiting.

    Raises:
        ConfigError: ``batch_augments`` is set, or ``crop_size`` or ``flip_prob`` is out of range; or, with a batch,
            images are smaller than ``crop_size``.
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
        if batch_augments is not None:
            raise ConfigError(
                'FacePreprocessor mixes no images: remove train_cfg from the model, or use '
                'ClsDataPreprocessor and no identity head'
            )
        if not (crop_size is None or isinstance(crop_size, int) and crop_size > 0):
            raise ConfigError(f'crop_size is {crop_size!r}, expected a whole number above 0, or None')
        if not 0 <= flip_prob <= 1:
            raise ConfigError(f'flip_prob is {flip_prob}, expected 0 to 1')
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        self.to_rgb = to_rgb
        self.flip_prob = flip_prob
        self.crop_size = crop_size

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepares one batch.

        Args:
            data: ``inputs``, uint8 ``(N, 3, H, W)`` or a list of N ``(3, H, W)``, and whatever else the model takes.
            training: Whether to augment.

        Returns:
            The same dict on the device, ``inputs`` a float ``(N, 3, H, W)``.
        """
        # On a CPU, what a loader gives is there already, and to see that takes as long as the rest of this.
        if self.device.type != 'cpu':
            data = self.cast_data(data)
        x = data['inputs']
        if isinstance(x, (list, tuple)):
            x = torch.stack(x)
        size = (self.crop_size, self.crop_size) if self.crop_size is not None else x.shape[2:]
        if min(x.shape[2:]) < min(size):
            raise ConfigError(
                f'crop_size is {self.crop_size}, but the images are {x.size(2)}x{x.size(3)}: resize them to more'
            )
        if training and (self.flip_prob or self.crop_size is not None):
            x = self._augment(x, size)
        else:
            top, left = ((have - want) // 2 for have, want in zip(x.shape[2:], size))
            x = x[:, :, top : top + size[0], left : left + size[1]]
            if self.to_rgb:
                x = x.flip(1)
        return {**data, 'inputs': (x - self.mean).div_(self.std)}

    def _augment(self, x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
        """Crops at random places, flips at random and orders the channels."""
        if self.crop_size is not None:
            spare = torch.tensor([have - want + 1 for have, want in zip(x.shape[2:], size)], device=x.device)
            top, left = (torch.rand(len(x), 2, device=x.device) * spare).long().T
            # All windows there are, as a view; of each image one is copied.
            windows = x.unfold(2, size[0], 1).unfold(3, size[1], 1)
            x = windows[torch.arange(len(x), device=x.device), :, top, left]
        if self.flip_prob:
            flipped = torch.rand(len(x), 1, 1, 1, device=x.device) < self.flip_prob
            x = torch.where(flipped, x.flip(3), x)
        if self.to_rgb:
            x = x.flip(1)
        # With the channels innermost, as convolutions like it.
        return x.contiguous(memory_format=torch.channels_last)
