import copy
import logging
from collections import Counter
from contextlib import suppress
from itertools import product
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmpretrain.models import ImageClassifier
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..engine.evaluation_data import evaluation_pipeline
from ..errors import IMCNNError, one_line
from ..framework import is_compiled, model_config
from ..models import to_device
from ..models.grouped_linear import GroupedLinear
from ..models.joint_head import JointHead
from .photo_pipeline import input_size

# Sides of the check images that are tried if neither the model's config nor its preprocessor has one.
_SIDES = (224, 112, 227, 64, 256, 384, 299, 32)
# The largest accepted mean difference of logits relative to their mean magnitude, in single and half precision.
_TOLERANCE, _HALF_TOLERANCE = 0.01, 0.1
# Layers that autocast runs in half precision. Their weights can be cast once instead of in each call.
_PRODUCTS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, GroupedLinear)


class AttributePredictor(nn.Module):
    """Everything a prediction needs in one module: uint8 images to calibrated probabilities.

    Args:
        model: A classifier with a grouped head. It is not changed; weights are copied.
        dtype: Type of convolutions, matrix products and their weights; probabilities are always in single precision.
        images: Images as for :meth:`forward`, on which the predictions are compared with those of the model. None
            generates images of a size that the model takes.

    The identity branch is dropped, batch normalization is merged into the preceding convolutions, and weights are
    stored in the order in which inference reads them. A step that fails or changes the predictions is undone with a
    warning.
    """

    @torch.inference_mode(False)
    def __init__(
        self, model: ImageClassifier, dtype: torch.dtype = torch.float32, images: Optional[torch.Tensor] = None
    ):
        super().__init__()
        self.dtype, self.memory_format = torch.float32, torch.contiguous_format
        self.data_preprocessor = copy.deepcopy(model.data_preprocessor)
        self.backbone = copy.deepcopy(model.backbone)
        self.neck = copy.deepcopy(model.neck) if model.with_neck else nn.Identity()
        self.head = copy.deepcopy(model.head.attr_head if isinstance(model.head, JointHead) else model.head)
        self.requires_grad_(False).eval()
        for module in self.modules():
            if isinstance(module, GroupedLinear):
                # Each output's weights are contiguous, the opposite of what is best for training: up to 2x faster.
                module.weight.data = module.weight.data.transpose(1, 2).contiguous().transpose(1, 2)
        try:
            images = self._draw_images(model_config(model)) if images is None else images
            expected = self.logits(images).detach()
        except Exception as error:
            _warn(
                f'Predictions are made as in training, since they cannot be checked ({one_line(error)}): give images.'
            )
            return
        self._merge_normalization(images, expected)
        if dtype != torch.float32:
            self._lower_precision(images, expected, dtype)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        # Outside the compiled part: a CUDA graph neither copies from the CPU nor keeps its output for the next call.
        probabilities = super().__call__(to_device(images, next(self.head.parameters()).device))
        return probabilities.clone() if is_compiled(self) else probabilities

    def _apply(self, *args, **kwargs) -> 'AttributePredictor':
        super()._apply(*args, **kwargs)
        # mmengine's preprocessors are only told a new device by their own method.
        self.data_preprocessor.to(next(self.head.parameters()).device)
        return self

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps uint8 images ``(N, 3, H, W)``, in the training data's channel order, to probabilities ``(N, L)``."""
        return self.head.probabilities(self.logits(images))

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Logits ``(N, L)``, before calibration."""
        x = self.data_preprocessor(dict(inputs=images))['inputs'].contiguous(memory_format=self.memory_format)
        if self.dtype == torch.float32:
            return self.head(self.neck(self.backbone(x)))
        with torch.autocast(x.device.type, self.dtype):
            return self.head(self.neck(self.backbone(x)))

    def _draw_images(self, cfg: Config) -> torch.Tensor:
        """Blurred noise, uint8 ``(4, 3 or 1, H, W)``, of the size in the config, or the first that the model takes."""
        device = next(self.head.parameters()).device
        sizes = [(side, side) for side in (getattr(self.data_preprocessor, 'crop_size', None), *_SIDES) if side]
        with suppress(IMCNNError):
            sizes.insert(0, input_size(cfg, evaluation_pipeline(cfg)))
        small = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        # Some models take gray images.
        for channels, size in product((3, 1), sizes):
            images = nn.functional.interpolate(small[:, :channels], size, mode='bilinear').mul(255).byte().to(device)
            try:
                self.logits(images)
                return images
            # Each model has its own exceptions for images of another size.
            except Exception as error:
                reason = error
        raise reason

    def _merge_normalization(self, images: torch.Tensor, expected: torch.Tensor) -> None:
        kept = self.backbone
        self.backbone, self.memory_format = copy.deepcopy(kept), torch.channels_last
        try:
            for conv, name, norm in self._mergeable(images):
                conv.weight, conv.bias = fuse_conv_bn_weights(
                    conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                )
                self.backbone.set_submodule(name, nn.Identity())
            self.backbone.requires_grad_(False).to(memory_format=torch.channels_last)
            self._check(images, expected, _TOLERANCE)
        except Exception as error:
            self.backbone, self.memory_format = kept, torch.contiguous_format
            _warn(f'Batch normalization is not merged into convolutions ({one_line(error)}).')

    @torch.enable_grad()
    def _mergeable(self, images: torch.Tensor) -> list:
        """Convolutions whose output is read by one batch normalization only, with the name and the module of that.

        The graph of one forward pass shows which layer reads which output, including in-place operations.
        """
        convs, norms, calls, readers = {}, [], Counter(), Counter()

        def record(module: nn.Module, args: tuple, output: torch.Tensor) -> None:
            calls[module] += 1
            if isinstance(module, nn.Conv2d):
                convs[output.grad_fn] = module
            else:
                norms.append((module, args[0].grad_fn))

        self.backbone.requires_grad_(True)
        hooks, names = [], {module: name for name, module in self.backbone.named_modules()}
        for module in names:
            if isinstance(module, nn.Conv2d) or type(module) in (nn.BatchNorm2d, nn.SyncBatchNorm):
                hooks.append(module.register_forward_hook(record))
        nodes = {self.logits(images).grad_fn} - {None}
        for hook in hooks:
            hook.remove()
        while nodes:
            for node, _ in nodes.pop().next_functions:
                readers[node] += 1
                if node is not None and readers[node] == 1:
                    nodes.add(node)
        return [
            (convs[node], names[norm], norm)
            for norm, node in norms
            if node is not None
            and node in convs
            and readers[node] == calls[convs[node]] == calls[norm] == 1
            and norm.running_mean is not None
        ]

    def _lower_precision(self, images: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> None:
        layers = [module for module in self.modules() if isinstance(module, _PRODUCTS)]
        kept = {weight: weight.data for layer in layers for weight in layer.parameters(recurse=False)}
        self.dtype = dtype
        try:
            for weight in kept:
                weight.data = weight.data.to(dtype)
            self._check(images, expected, _HALF_TOLERANCE)
            return
        except Exception as error:
            reason = one_line(error)
        for weight, data in kept.items():
            weight.data = data
        try:
            self._check(images, expected, _HALF_TOLERANCE)
            _warn(f'Weights stay in float32 and are cast to {dtype} in each call ({reason}).')
        except Exception as error:
            self.dtype = torch.float32
            _warn(f'Predictions are made in float32 instead of {dtype} ({one_line(error)}).')

    @torch.no_grad()
    def _check(self, images: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
        """Raises an exception if logits ``(N, L)`` are not those expected."""
        difference = (self.logits(images) - expected).abs().mean() / expected.abs().mean()
        # A comparison with NaN is false.
        if not difference <= tolerance:
            raise ArithmeticError(f'logits would differ by {difference:.1%}')


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)


def optimize_for_inference(
    model: ImageClassifier,
    dtype: torch.dtype = torch.bfloat16,
    compile: bool = False,
    images: Optional[torch.Tensor] = None,
) -> AttributePredictor:
    """Converts a model to the fastest form for inference.

    Args:
        model: A trained classifier with a grouped head.
        dtype: Type of weights and feature maps. Half precision halves the memory traffic of the weights, which
            dominates for a single image.
        compile: Compile the model at the first call, which takes a minute; on a GPU, a call is then one CUDA graph.
            This pays off for many calls with batches of one size.
        images: Images to check the predictions on, see :class:`AttributePredictor`.
    """
    predictor = AttributePredictor(model, dtype, images)
    if compile:
        predictor.compile(mode='reduce-overhead')
    return predictor
