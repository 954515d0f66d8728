from contextlib import contextmanager
from typing import Optional

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from mmpretrain.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class LeanOptimWrapper(OptimWrapper):
    """mmengine's ``OptimWrapper``, but clipping the gradient does not wait for the GPU, and any layout can be resumed.

    :attr:`grad_norm`, of the last step and before clipping, stays on the device; :class:`LeanRuntimeInfoHook` logs it.
    """

    grad_norm: Optional[torch.Tensor] = None

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        # mmengine divides by 1 as well, and then so does the way back.
        return loss if self._accumulative_counts == 1 else super().scale_loss(loss)

    def _clip_grad(self) -> None:
        params = [p for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        if params:
            self.grad_norm = self.clip_func(params, **self.clip_grad_kwargs)

    def load_state_dict(self, state_dict: dict) -> None:
        super().load_state_dict(state_dict)
        # Fused optimisers take a weight and its state for arrays of one layout and do not look: a run that was begun
        # without channels_last and goes on with it would mix up its momentum.
        for param, state in self.optimizer.state.items():
            for key, value in state.items():
                if torch.is_tensor(value) and value.shape == param.shape and value.stride() != param.stride():
                    state[key] = torch.empty_like(param, dtype=value.dtype).copy_(value)


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
