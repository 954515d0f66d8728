from collections import OrderedDict
from typing import Optional, Tuple, Union

import torch
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from torch import nn
from torchvision.ops import Conv2dNormActivation

from ..errors import check_sizes
from .imcnn import PAPER_INIT


class DenseBlock(nn.Module):
    """DenseNet block: each layer, a 1x1 then a 3x3 convolution, reads the outputs of all layers before it.

    Batch normalization and ReLU follow each convolution, as in the caption of the paper's Table 1. The growth rate is
    the number of channels that each layer adds. The paper gives neither it nor the bottleneck width; IMCNN-Dense uses
    those of DenseNet-121: 32 and four times the growth rate.

    Raises:
        ConfigError: A size is not a positive integer.
    """

    def __init__(self, in_channels: int, num_layers: int, growth_rate: int):
        super().__init__()
        check_sizes(in_channels=in_channels, num_layers=num_layers, growth_rate=growth_rate)
        self.layers = nn.ModuleList(
            nn.Sequential(
                Conv2dNormActivation(in_channels + i * growth_rate, 4 * growth_rate, kernel_size=1),
                Conv2dNormActivation(4 * growth_rate, growth_rate, kernel_size=3),
            )
            for i in range(num_layers)
        )
        self.out_channels = in_channels + num_layers * growth_rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


def _transition(channels: int) -> nn.Sequential:
    """Halves channels, height and width."""
    return nn.Sequential(Conv2dNormActivation(channels, channels // 2, kernel_size=1), nn.AvgPool2d(2))


@MODELS.register_module()
class IMCNNDense(BaseBackbone):
    """IMCNN with dense blocks (Table 1 of the paper): a shared trunk, then one dense block per group.

    Args:
        growth_rate: Number of channels that each dense layer adds. The stem has twice as many channels and a
            transition halves them, as in DenseNet-121.
        num_slices: Number of groups S.
        init_cfg: Defaults to the paper's Xavier filler.

    Raises:
        ConfigError: A size is not a positive integer.
    """

    def __init__(self, growth_rate: int = 32, num_slices: int = 4, init_cfg: Optional[Union[dict, list]] = PAPER_INIT):
        super().__init__(init_cfg=init_cfg)
        check_sizes(growth_rate=growth_rate, num_slices=num_slices)
        stem = 2 * growth_rate
        block1 = DenseBlock(stem, 4, growth_rate)
        block2 = DenseBlock(block1.out_channels // 2, 8, growth_rate)
        block3 = DenseBlock(block2.out_channels // 2, 16, growth_rate)
        self.shared = nn.Sequential(
            OrderedDict(
                stem=Conv2dNormActivation(3, stem, kernel_size=7, stride=2),
                pool=nn.MaxPool2d(3, 2, padding=1),
                block1=block1,
                transition1=_transition(block1.out_channels),
                block2=block2,
                transition2=_transition(block2.out_channels),
                block3=block3,
            )
        )
        self.groups = nn.ModuleList(DenseBlock(block3.out_channels, 4, growth_rate) for _ in range(num_slices))

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor]:
        """Maps ``(N, 3, H, W)`` to a tuple of F, ``(N, S * C, H / 16, W / 16)``, the S groups' maps concatenated.

        For the paper's four groups and 224 x 224 input, C is 816 and F is ``(N, 3264, 14, 14)``.
        """
        x = self.shared(x)
        return (torch.cat([group(x) for group in self.groups], 1),)
