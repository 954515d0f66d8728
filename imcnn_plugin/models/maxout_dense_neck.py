from typing import Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS

from ..errors import check_sizes
from .imcnn import PAPER_INIT
from .imcnn_dense import DenseBlock


@MODELS.register_module()
class MaxoutDenseNeck(BaseModule):
    """The first stage of IMCNN-Dense's face recognition block (Table 1 of the paper): maxout, then a dense block.

    Args:
        in_channels: Number of channels C of one group's map.
        num_slices: Number of groups S.
        num_layers: Number of layers of the dense block.
        growth_rate: Number of channels that each layer adds.
        init_cfg: Defaults to the paper's Xavier filler.

    Raises:
        ConfigError: A size is not a positive integer.
    """

    def __init__(
        self,
        in_channels: int,
        num_slices: int = 4,
        num_layers: int = 4,
        growth_rate: int = 32,
        init_cfg: Optional[Union[dict, list]] = PAPER_INIT,
    ):
        super().__init__(init_cfg=init_cfg)
        check_sizes(num_slices=num_slices)
        self.num_slices = num_slices
        self.block = DenseBlock(in_channels, num_layers, growth_rate)

    def forward(self, feats: Sequence[torch.Tensor]) -> Tuple[torch.Tensor]:
        """Maps a tuple ending in ``(N, S * C, H, W)`` to a tuple of ``(N, C + num_layers * growth_rate, H, W)``.

        Maxout keeps the largest value over groups at each position and channel.
        """
        return (self.block(feats[-1].unflatten(1, (self.num_slices, -1)).amax(1)),)
