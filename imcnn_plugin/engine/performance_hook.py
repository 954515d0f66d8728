from typing import Optional, Union

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from mmpretrain.utils import get_ori_model
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

from ..errors import ConfigError
from ..framework import accumulative_counts, is_compiled
from ..models.joint_head import JointHead
from .malloc_tuning import keep_freed_memory


@HOOKS.register_module(name=['PerformanceHook', 'ModelSpeedHook'])
class PerformanceHook(Hook):
    """Speeds up the model without changing what it computes.

    Args:
        channels_last: Keep convolution weights, and thereby all feature maps, in channels_last layout.
        compile: Compile the backbone and the heads with ``torch.compile``, which takes a minute or more before the
            first step. A dict gives its options, such as ``dict(mode='reduce-overhead')``, which records CUDA graphs;
            these cannot accumulate gradients over steps. mmengine's own ``compile`` would include the data samples,
            which dynamo cannot trace.
        keep_memory: On a CPU, keep the memory that a step frees for the next one, see :func:`keep_freed_memory`. The
            process then stays at its peak size.
        bf16_all_reduce: Exchange gradients between processes in bfloat16, with half the bytes of float32.
            Communication still overlaps with the backward pass.

    Raises:
        ConfigError: Training with CUDA graphs accumulates gradients.
    """

    # The hook runs before a checkpoint is loaded, since its tensors take the layout of the weights.
    priority = 'VERY_HIGH'

    def __init__(
        self,
        channels_last: bool = False,
        compile: Union[bool, dict] = False,
        keep_memory: bool = False,
        bf16_all_reduce: bool = False,
    ):
        self.channels_last = channels_last
        self.compile = compile
        self.keep_memory = keep_memory
        self.bf16_all_reduce = bf16_all_reduce

    def before_run(self, runner: Runner) -> None:
        model = get_ori_model(runner.model)
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        if self.keep_memory and next(model.parameters()).device.type == 'cpu' and not keep_freed_memory():
            runner.logger.warning('keep_memory needs glibc and has no effect here.')
        if self.compile is False:
            return
        options = {} if self.compile is True else self.compile
        heads = [model.head.attr_head, model.head.id_head] if isinstance(model.head, JointHead) else [model.head]
        # This runs twice if training ends with a test.
        modules = [module for module in (model.backbone, *heads) if module is not None and not is_compiled(module)]
        for module in modules:
            module.compile(**options)
        if modules:
            runner.logger.info('The model is compiled in the first steps, which takes a minute or more.')

    def before_train(self, runner: Runner) -> None:
        if self.compile and self._records_graphs and accumulative_counts(runner.optim_wrapper) > 1:
            raise ConfigError(
                f'default_hooks.speed.compile is {self.compile}, and optim_wrapper.accumulative_counts is '
                f'{accumulative_counts(runner.optim_wrapper)}: CUDA graphs reuse the memory of the gradients in each '
                'step; compile without a mode, or do not accumulate'
            )
        if self.bf16_all_reduce and is_model_wrapper(runner.model):
            runner.model.register_comm_hook(None, bf16_compress_hook)

    def _before_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None, mode: str = 'train'
    ) -> None:
        # The backbone and the heads are separate graphs: without this mark, one would overwrite what another needs.
        if self.compile:
            torch.compiler.cudagraph_mark_step_begin()

    @property
    def _records_graphs(self) -> bool:
        return isinstance(self.compile, dict) and self.compile.get('mode') in ('reduce-overhead', 'max-autotune')
