from itertools import islice
from typing import List, NamedTuple, Optional, Tuple

import torch
from mmengine.dataset import DefaultSampler
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from mmpretrain.utils import get_ori_model

from ..errors import TrainingError
from .deferred_logging_hooks import _logs_after_step, _read_numbers

_MAX_SHOWN = 5


class _Step(NamedTuple):
    iter: int
    epoch: int
    batch_idx: int
    loss: torch.Tensor
    norm: Optional[torch.Tensor]  # of the gradient, if it is clipped


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops training in all processes if a loss, a weight or, with gradient clipping, a gradient is not finite.

    Losses and gradients are checked when a line is logged, so no step waits for a GPU or another process. Before every
    checkpoint and evaluation, the weights are checked as well. A single process on a CPU checks each loss immediately.

    Raises:
        TrainingError: The message names the step, its images and the last checkpoint before it.
    """

    priority = 'VERY_HIGH'

    def __init__(self):
        self.steps: List[_Step] = []
        # The last step whose weights have not been checked.
        self.unchecked: Optional[_Step] = None

    def before_train(self, runner: Runner) -> None:
        self.steps, self.unchecked = [], None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None, outputs: Optional[dict] = None
    ) -> None:
        # mmengine's sum of all losses. A model with its own train_step may return separate losses, or Python numbers.
        found = outputs or {}
        losses = [found['loss']] if 'loss' in found else [value for key, value in found.items() if 'loss' in key]
        loss = torch.as_tensor(sum(losses)).detach()
        norm = getattr(runner.optim_wrapper, 'grad_norm', None)
        self.steps.append(_Step(runner.iter + 1, runner.epoch + 1, batch_idx, loss, norm))
        if _logs_after_step(runner, batch_idx) or not loss.is_cuda and get_world_size() == 1:
            _raise_first(runner, all_gather_object(self._problem(runner)))

    def after_train_epoch(self, runner: Runner) -> None:
        self.check(runner)

    def before_val(self, runner: Runner) -> None:
        self.check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        # Only the main process gets here. RunCheckpointHook has called check() in all processes.
        _raise_first(runner, [self._problem(runner) or self._weight_problem(runner)])

    def check(self, runner: Runner) -> None:
        """Checks all steps since the last check, and the weights. Every process must call it."""
        if self.steps or self.unchecked:
            _raise_first(runner, all_gather_object(self._problem(runner) or self._weight_problem(runner)))

    def _problem(self, runner: Runner) -> Optional[Tuple[int, int, str]]:
        """The first loss or gradient that is not finite: its iteration, its rank in that iteration and a message."""
        if not self.steps:
            return None
        before, steps, self.steps = self.unchecked, self.steps, []
        self.unchecked = steps[-1]
        pairs = ((step.loss, step.loss if step.norm is None else step.norm) for step in steps)
        numbers = _read_numbers([number for pair in pairs for number in pair])
        for step, loss, norm in zip(steps, numbers[::2], numbers[1::2]):
            # Comparisons with NaN are false.
            if not abs(loss) < float('inf'):
                unless = ''
                if step.norm is None and before is not None:
                    unless = f', unless the step before, {_of_images(runner, before)}, made weights overflow'
                return step.iter, 0, f'the loss is {loss} {_at(step)}, {_of_images(runner, step)}{unless}'
            if not norm < float('inf'):
                where = f'{_at(step)}, {_of_global_batch(runner, step)}'
                return step.iter, 1, f'the norm of the gradient is {norm} {where}'
            before = step
        return None

    def _weight_problem(self, runner: Runner) -> Optional[Tuple[int, int, str]]:
        step, self.unchecked = self.unchecked, None
        if step is None:
            return None
        names, weights = zip(*get_ori_model(runner.model).named_parameters())
        finite = torch.stack([weight.isfinite().all() for weight in weights]).tolist()
        if all(finite):
            return None
        return (
            step.iter,
            2,
            (
                f'the weights {names[finite.index(False)]} are not finite after the step {_at(step)}, '
                f'{_of_global_batch(runner, step)}'
            ),
        )


def _raise_first(runner: Runner, problems: List[Optional[Tuple[int, int, str]]]) -> None:
    if found := sorted(problem for problem in problems if problem):
        last = runner.message_hub.runtime_info.get('last_ckpt')
        raise TrainingError(
            f'{found[0][-1]}: check these images and the learning rate; the last checkpoint before it is {last}'
        )


def _at(step: _Step) -> str:
    return f'at iteration {step.iter}, epoch {step.epoch}'


def _of_global_batch(runner: Runner, step: _Step) -> str:
    # Gradients are averaged over all processes.
    return _of_images(runner, step) if get_world_size() == 1 else 'of the images of one of the processes'


def _of_images(runner: Runner, step: _Step) -> str:
    """Names of a batch's images in this process. They come from the sampler, since a batch may not have them."""
    loader = runner.train_dataloader
    if not isinstance(loader.sampler, DefaultSampler):
        return 'of images whose names its sampler does not know'
    # An iteration-based loop keeps counting across epochs.
    size, batch_idx = loader.batch_sampler.batch_size, step.batch_idx % len(loader)
    # DefaultSampler's own iterator covers the whole epoch, even if the run was resumed within it.
    indices = islice(DefaultSampler.__iter__(loader.sampler), batch_idx * size, (batch_idx + 1) * size)
    # Datasets of other frameworks may have no get_data_info.
    record = getattr(loader.dataset, 'get_data_info', lambda index: {})
    names = [str(record(index).get('img_path', f'number {index}')) for index in indices]
    more = f' and {len(names) - _MAX_SHOWN} more' if len(names) > _MAX_SHOWN else ''
    return f'of the images {", ".join(names[:_MAX_SHOWN])}{more}'
