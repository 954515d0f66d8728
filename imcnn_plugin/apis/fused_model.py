import copy

import torch
from mmcv.cnn import fuse_conv_bn
from mmpretrain.models import ImageClassifier
from torch import nn

from ..framework import BatchNorm
from ..models.grouped_linear import GroupedLinear
from ..models.joint_head import JointHead


class AttributePredictor(nn.Module):
    """Everything a prediction needs in one module: uint8 images to calibrated probabilities.

    Args:
        model: A classifier with a grouped head. It is not changed; weights are copied.
        dtype: Of weights and feature maps; probabilities are always in single precision.

    The identity branch is dropped, batch normalization is merged into the preceding convolutions, and weights are laid
    out as a prediction reads them.
    """

    def __init__(self, model: ImageClassifier, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.dtype = dtype
        self.data_preprocessor = copy.deepcopy(model.data_preprocessor)
        self.backbone = fuse_conv_bn(copy.deepcopy(model.backbone))
        self.neck = copy.deepcopy(model.neck) if model.with_neck else nn.Identity()
        self.head = copy.deepcopy(model.head.attr_head if isinstance(model.head, JointHead) else model.head)
        # Buffers keep their type: the calibration, and running statistics that could not be merged, whose layers
        # keep their weights' type, too.
        for module in self.modules():
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
                if not isinstance(module, BatchNorm):
                    parameter.data = parameter.data.to(dtype)
        self.to(memory_format=torch.channels_last).eval()
        for module in self.modules():
            if isinstance(module, GroupedLinear):
                # Each output's weights are contiguous, the opposite of what is best for training: up to 2x faster.
                module.weight.data = module.weight.data.transpose(1, 2).contiguous().transpose(1, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps uint8 images ``(N, 3, H, W)``, in the training data's channel order, to probabilities ``(N, L)``."""
        x = self.data_preprocessor(dict(inputs=images))['inputs']
        x = x.to(self.dtype, memory_format=torch.channels_last)
        return self.head.probabilities(self.head(self.neck(self.backbone(x))))


def optimize_for_inference(
    model: ImageClassifier, dtype: torch.dtype = torch.bfloat16, compile: bool = False
) -> AttributePredictor:
    """Converts a model to the fastest form for predictions.

    Args:
        model: A trained classifier with a grouped head.
        dtype: Of weights and feature maps. Half precision halves the memory traffic of the weights, which
            dominates for a single image.
        compile: Compile it at the first call, which takes a minute; on a GPU a call is then one CUDA graph. Worth it
            for many calls with batches of one size.
    """
    predictor = AttributePredictor(model, dtype)
    if compile:
        predictor.compile(mode='reduce-overhead')
    return predictor
