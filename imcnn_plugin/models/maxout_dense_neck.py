from typing import Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS

from .dense_block import DenseBlock


@MODELS.register_module()
class MaxoutDenseNeck(BaseModule):
    """The start of the face recognition block of IMCNN-Dense (Table 1 of the paper): maxout, then a dense block.

    Args:
        in_channels: Channels C of one group's map.
        num_slices: Number of groups S.
        num_layers: Layers of the dense block.
        growth_rate: Channels that each of them adds.
        init_cfg: Defaults to the paper's Xavier filler.

    Maps a tuple whose last item is ``(N, S * C, H, W)`` to a tuple of ``(N, C + num_layers * growth_rate, H, W)``: at
    each place and channel the largest value of the groups goes on.
    """

    def __init__(
        self,
        in_channels: int,
        num_slices: int = 4,
        num_layers: int = 4,
        growth_rate: int = 32,
        init_cfg: Optional[Union[dict, list]] = [
            dict(type='Caffe2Xavier', layer='Conv2d'),
            dict(type='Constant', layer='BatchNorm2d', val=1),
        ],
    ):
        super().__init__(init_cfg=init_cfg)
        self.num_slices = num_slices
        self.block = DenseBlock(in_channels, num_layers, growth_rate)

    def forward(self, feats: Sequence[torch.Tensor]) -> Tuple[torch.Tensor]:
        return (self.block(feats[-1].unflatten(1, (self.num_slices, -1)).amax(1)),)
