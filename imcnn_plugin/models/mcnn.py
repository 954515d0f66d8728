from typing import Optional, Tuple, Union

import torch
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from torch import nn

from ..errors import check_sizes


@MODELS.register_module()
class MCNN(BaseBackbone):
    """The convolutions of MCNN (Hand & Chellappa 2016, arXiv 1604.07360): two shared layers, then one Conv3 per group.

    The Conv3 layers read the same map, so they are computed as one convolution.

    Strides and padding are not published. Those used here are from the age and gender network of Levi & Hassner
    (2015), which has the same kernels and the same 227 x 227 input. With a final pooling of stride 5 they give a
    2 x 2 map and 11.5 million weights; the paper reports fewer than 15 million.

    Args:
        width: Multiplier of the number of filters of every layer.
        num_slices: Number of Conv3 layers S.
        conv1_stride: 4 for 227 x 227 input; 1 gives the same 2 x 2 map for 64 x 64.
        frozen: Whether to freeze all weights, as in the second stage of MCNN-AUX.
        init_cfg: Defaults to the Xavier filler of the other networks here; MCNN's own is not published.

    Raises:
        ConfigError: ``width`` leaves a layer without filters, or a number is not positive.
    """

    def __init__(
        self,
        width: float = 1.0,
        num_slices: int = 6,
        conv1_stride: int = 4,
        frozen: bool = False,
        init_cfg: Optional[Union[dict, list]] = dict(type='Caffe2Xavier', layer='Conv2d'),
    ):
        super().__init__(init_cfg=init_cfg)
        filters = [round(number * width) for number in (75, 200, 300)]
        check_sizes(num_slices=num_slices, conv1_stride=conv1_stride, **{f'the filters of width={width}': filters})
        c1, c2, c3 = filters
        self.num_slices = num_slices
        self.shared = nn.Sequential(
            nn.Conv2d(3, c1, 7, conv1_stride),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.LocalResponseNorm(5),
            nn.Conv2d(c1, c2, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.LocalResponseNorm(5),
        )
        self.conv3 = nn.Sequential(
            nn.Conv2d(c2, num_slices * c3, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(5, 5)
        )
        self.norm = nn.LocalResponseNorm(5)
        self.requires_grad_(not frozen)

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor]:
        """Maps ``(N, 3, 227, 227)`` to a tuple of ``(N, S * 300 * width, 2, 2)``, the S groups' maps concatenated."""
        x = self.conv3(self.shared(x))
        # Response normalization sums over neighboring channels, which must not belong to another group.
        groups = x.unflatten(1, (self.num_slices, -1))
        return (self.norm(groups.flatten(0, 1)).unflatten(0, groups.shape[:2]).flatten(1, 2),)
