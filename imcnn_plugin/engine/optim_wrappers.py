from contextlib import contextmanager
from typing import Iterator, Optional

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from mmpretrain.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module(name=['NonBlockingOptimWrapper', 'LeanOptimWrapper'])
class NonBlockingOptimWrapper(OptimWrapper):
    """mmengine's ``OptimWrapper``, but clipping does not wait for the GPU, and runs can resume with another layout.

    :attr:`grad_norm` is the norm of the last step before clipping. It stays on the device, and
    :class:`DeferredRuntimeInfoHook` logs it.
    """

    grad_norm: Optional[torch.Tensor] = None

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        # mmengine would also divide by 1, which adds a division to the backward pass.
        return loss if self._accumulative_counts == 1 else super().scale_loss(loss)

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        # mmengine warns that gradients of an unfinished accumulation are lost, but RunCheckpointHook restores them.
        restored = any(p.grad is not None for p in model.parameters())
        super().initialize_count_status(model, 0 if restored else init_counts, max_counts)
        self._inner_count = init_counts

    def _clip_grad(self) -> None:
        params = [p for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        if params:
            self.grad_norm = self.clip_func(params, **self.clip_grad_kwargs)

    def load_state_dict(self, state_dict: dict) -> None:
        super().load_state_dict(state_dict)
        # Fused optimizers assume, without checking, that a weight and its state have the same layout: a run that
        # started without channels_last and resumes with it would mix up its momentum.
        for param, state in self.optimizer.state.items():
            for key, value in state.items():
                if torch.is_tensor(value) and value.shape == param.shape and value.stride() != param.stride():
                    state[key] = torch.empty_like(param, dtype=value.dtype).copy_(value)
        # mmengine loads checkpoints onto the GPU, and torch leaves Adam's step counts there, for which each step would
        # wait. Only fused and capturable optimizers count on the GPU.
        for group in self.optimizer.param_groups:
            if not group.get('fused') and not group.get('capturable'):
                for state in (self.optimizer.state.get(param, {}) for param in group['params']):
                    if torch.is_tensor(state.get('step')):
                        state['step'] = state['step'].cpu()


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(NonBlockingOptimWrapper):
    """Trains in bfloat16 on any device.

    mmengine's ``AmpOptimWrapper`` does not run on a CPU, and its gradient scaler, which bfloat16 does not need, waits
    for the GPU in every step.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
