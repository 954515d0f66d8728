from typing import Optional, Sequence, Tuple, Union

import torch
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from torch import nn

from ..errors import ConfigError, check_sizes
from .locally_connected import LocallyConnected2d


@MODELS.register_module()
class ANet(BaseBackbone):
    """ANet of LNets+ANet (Liu et al. 2015, arXiv 1411.7766): shared convolutions, then locally connected ones.

    It reads overlapping patches of a face. Training uses one random patch of a grid per face; evaluation averages the
    features of all patches. The layer sizes and the batch normalization are our own choice, made for two CPU cores.

    Args:
        in_size: Side of the square face in pixels.
        patch_size: Side of a patch in pixels, a multiple of 8.
        patches: Number of patches in each direction; their grid covers the face from edge to edge, and a single patch
            is in its center.
        channels: Numbers of filters of the shared convolutions. The first is 5x5 with stride 2; the others are 3x3,
            each followed by 2x2 max pooling.
        local_channels: Numbers of filters of the locally connected layers, which are 3x3 without padding.
        feat_dims: Size of the feature vector.
        init_cfg: Defaults to the Xavier filler of the other networks here.

    Raises:
        ConfigError: A size is not a positive integer, or the patches or kernels do not fit.
    """

    def __init__(
        self,
        in_size: int = 64,
        patch_size: int = 56,
        patches: int = 2,
        channels: Sequence[int] = (32, 48, 64),
        local_channels: Sequence[int] = (64, 64),
        feat_dims: int = 256,
        init_cfg: Optional[Union[dict, list]] = dict(type='Caffe2Xavier', layer=['Conv2d', 'Linear']),
    ):
        super().__init__(init_cfg=init_cfg)
        check_sizes(
            in_size=in_size,
            patch_size=patch_size,
            patches=patches,
            channels=channels,
            local_channels=local_channels,
            feat_dims=feat_dims,
        )
        if patch_size > in_size or patch_size % 2 ** len(channels):
            raise ConfigError(
                f'patch_size is {patch_size}, expected a multiple of {2 ** len(channels)} of at most {in_size}'
            )
        self.patch_size = patch_size
        room = in_size - patch_size
        starts = [round(i * room / (patches - 1)) for i in range(patches)] if patches > 1 else [room // 2]
        self.corners = [(top, left) for top in starts for left in starts]
        layers, dims = [], 3
        for number in channels:
            if layers:
                layers += [nn.Conv2d(dims, number, 3, padding=1, bias=False), *_normalize(number), nn.MaxPool2d(2)]
            else:
                layers += [nn.Conv2d(dims, number, 5, stride=2, padding=2, bias=False), *_normalize(number)]
            dims = number
        side = patch_size // 2 ** len(channels)
        for number in local_channels:
            layers += [LocallyConnected2d(dims, number, (side, side), 3), *_normalize(number)]
            dims, side = number, side - 2
        self.layers = nn.Sequential(*layers)
        self.fc = nn.Sequential(nn.Linear(dims * side**2, feat_dims), nn.ReLU(inplace=True))

    def _features(self, patches: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layers(patches).flatten(1))

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor]:
        """Maps faces ``(N, 3, in_size, in_size)`` to a tuple of features ``(N, feat_dims)``."""
        size = self.patch_size
        patches = torch.stack([x[..., top : top + size, left : left + size] for top, left in self.corners])
        if self.training:
            chosen = torch.randint(len(patches), (len(x),), device=x.device)
            return (self._features(patches[chosen, torch.arange(len(x), device=x.device)]),)
        return (self._features(patches.flatten(0, 1)).unflatten(0, patches.shape[:2]).mean(0),)


def _normalize(channels: int) -> Tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
