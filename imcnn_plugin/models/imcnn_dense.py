from collections import OrderedDict
from typing import Optional, Tuple, Union

import torch
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from torch import nn
from torchvision.ops import Conv2dNormActivation

from .dense_block import DenseBlock


def transition(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(Conv2dNormActivation(in_channels, out_channels, kernel_size=1), nn.AvgPool2d(2))


@MODELS.register_module()
class IMCNNDense(BaseBackbone):
    """IMCNN on dense blocks (Table 1 of the paper): a shared trunk, then one dense block a group.

    Args:
        growth_rate: Channels that each dense layer adds. The stem has twice as many; a transition halves the channels,
            as in DenseNet-121.
        num_slices: Number of groups S.
        init_cfg: Defaults to the paper's Xavier filler.

    For ``(N, 3, H, W)`` it returns a tuple of F, ``(N, S * C, H / 16, W / 16)``, in which the S groups' maps lie side
    by side; C is 816 and F ``(N, 3264, 14, 14)`` for the paper's four groups and 224 x 224.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        num_slices: int = 4,
        init_cfg: Optional[Union[dict, list]] = [
            dict(type='Caffe2Xavier', layer='Conv2d'),
            dict(type='Constant', layer='BatchNorm2d', val=1),
        ],
    ):
        super().__init__(init_cfg=init_cfg)
        stem = 2 * growth_rate
        block1 = DenseBlock(stem, 4, growth_rate)
        block2 = DenseBlock(block1.out_channels // 2, 8, growth_rate)
        block3 = DenseBlock(block2.out_channels // 2, 16, growth_rate)
        self.shared = nn.Sequential(
            OrderedDict(
                stem=Conv2dNormActivation(3, stem, kernel_size=7, stride=2),
                pool=nn.MaxPool2d(3, 2, padding=1),
                block1=block1,
                transition1=transition(block1.out_channels, block1.out_channels // 2),
                block2=block2,
                transition2=transition(block2.out_channels, block2.out_channels // 2),
                block3=block3,
            )
        )
        self.groups = nn.ModuleList(DenseBlock(block3.out_channels, 4, growth_rate) for _ in range(num_slices))

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor]:
        x = self.shared(x)
        return (torch.cat([group(x) for group in self.groups], 1),)
