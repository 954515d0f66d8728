from contextlib import contextmanager

import torch
from mmengine.runner.amp import autocast
from mmpretrain.registry import OPTIM_WRAPPERS
from torch import nn

from .lean_optim_wrapper import LeanOptimWrapper


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(LeanOptimWrapper):
    """Trains in bfloat16 on whatever device there is.

    mmengine's ``AmpOptimWrapper`` refuses to run without a GPU, and its gradient scaler, which bfloat16 does not need,
    waits for the GPU in every step.
    """

    @contextmanager
    def optim_context(self, model: nn.Module):
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
