import copy

import torch
from mmcv.cnn import fuse_conv_bn
from mmpretrain.models import ImageClassifier
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..models.grouped_linear import GroupedLinear
from ..models.joint_head import JointHead


class AttributePredictor(nn.Module):
    """All that a prediction needs, in one module: uint8 images to calibrated probabilities.

    Args:
        model: A classifier with a grouped head. It stays as it is; weights are copied.
        dtype: Of weights and maps; the probabilities are in single precision whatever it is.

    The identity branch is left out, batch normalisation is merged into the convolutions before it, and weights lie in
    memory as a prediction reads them.
    """

    def __init__(self, model: ImageClassifier, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.dtype = dtype
        self.data_preprocessor = copy.deepcopy(model.data_preprocessor)
        self.backbone = fuse_conv_bn(copy.deepcopy(model.backbone))
        self.neck = copy.deepcopy(model.neck) if model.with_neck else nn.Identity()
        self.head = copy.deepcopy(model.head.attr_head if isinstance(model.head, JointHead) else model.head)
        # Buffers stay: among them are the calibration, and running statistics that no convolution could take in, with
        # which the weights of their layers must stay.
        for module in self.modules():
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
                if not isinstance(module, _BatchNorm):
                    parameter.data = parameter.data.to(dtype)
        self.to(memory_format=torch.channels_last).eval()
        for module in self.modules():
            if isinstance(module, GroupedLinear):
                # Each output's weights side by side, which training likes the other way round: up to twice as fast.
                module.weight.data = module.weight.data.transpose(1, 2).contiguous().transpose(1, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps uint8 images ``(N, 3, H, W)``, in the channel order of the training data, to ``(N, L)``."""
        x = self.data_preprocessor(dict(inputs=images))['inputs']
        x = x.to(self.dtype, memory_format=torch.channels_last)
        return self.head.probabilities(self.head(self.neck(self.backbone(x))))


def optimize_for_inference(
    model: ImageClassifier, dtype: torch.dtype = torch.bfloat16, compile: bool = False
) -> AttributePredictor:
    """The fastest form of a model for predictions.

    Args:
        model: A trained classifier with a grouped head.
        dtype: Of weights and maps. Half precision halves the traffic of weights, for which a single image waits.
        compile: Compile it at the first call, which takes a minute; on a GPU a call is then one CUDA graph. Worth it
            for many calls with batches of one size.
    """
    predictor = AttributePredictor(model, dtype)
    if compile:
        predictor.compile(mode='reduce-overhead')
    return predictor
