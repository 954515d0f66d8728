from collections import OrderedDict
from typing import Optional, Tuple, Union

import torch
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from torch import nn
from torchvision.ops import Conv2dNormActivation

from ..errors import ConfigError, check_sizes

# The paper's Xavier filler, for convolutional networks.
PAPER_INIT = [dict(type='Caffe2Xavier', layer='Conv2d'), dict(type='Constant', layer='BatchNorm2d', val=1)]


@MODELS.register_module()
class IMCNN(BaseBackbone):
    """The convolutions of IMCNN (Table 2 of the paper): a trunk shared by all attributes, then one ConvAttr per group.

    The ConvAttr layers read the same map, so they are computed as one convolution; its output is the merged feature F.

    Args:
        width: Multiplier of the number of channels of every layer.
        num_slices: Number of ConvAttr layers S.
        init_cfg: Defaults to the paper's Xavier filler.

    Raises:
        ConfigError: ``width`` is not positive or leaves a layer without channels, or there is no ConvAttr layer.
    """

    def __init__(self, width: float = 1.0, num_slices: int = 6, init_cfg: Optional[Union[dict, list]] = PAPER_INIT):
        super().__init__(init_cfg=init_cfg)
        if not width > 0:
            raise ConfigError(f'width is {width}, expected a positive number')
        channels = [round(number * width) for number in (64, 64, 192, 192, 384, 512)]
        check_sizes(num_slices=num_slices, **{f'the channels of width={width}': channels})
        c1, c2a, c2, c3a, c3, attr = channels
        self.layers = nn.Sequential(
            OrderedDict(
                conv1=Conv2dNormActivation(3, c1),
                pool1=nn.MaxPool2d(2),
                conv2a=Conv2dNormActivation(c1, c2a),
                conv2=Conv2dNormActivation(c2a, c2),
                pool2=nn.MaxPool2d(2),
                conv3a=Conv2dNormActivation(c2, c3a),
                conv3=Conv2dNormActivation(c3a, c3),
                pool3=nn.MaxPool2d(2),
                conv_attr=Conv2dNormActivation(c3, num_slices * attr, stride=2),
            )
        )

    def forward(self, x: torch.Tensor) -> Tuple[torch.Tensor]:
        """Maps ``(N, 3, H, W)`` to a tuple of F, ``(N, S * 512 * width, H / 16, W / 16)``.

        The S groups' maps are concatenated. The paper's 112 x 112 input gives ``(N, 3072, 7, 7)``.
        """
        return (self.layers(x),)
