from itertools import islice
from typing import List, Optional, Tuple

import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..errors import TrainingError
from .deferred_logging import about_to_log

SHOWN = 5


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends a training whose loss is not a finite number, instead of training on.

    On a GPU a step's loss is looked at when a line is logged, so as not to wait for it in every step; no checkpoint
    is written in between without looking.

    Raises:
        TrainingError: Names the step, its images and the checkpoint before it.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        self.steps: List[Tuple[int, int, torch.Tensor]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None, outputs: Optional[dict] = None
    ) -> None:
        loss = outputs['loss'].detach()
        self.steps.append((runner.iter + 1, batch_idx, loss))
        if not loss.is_cuda or about_to_log(runner, batch_idx):
            self.check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self.check(runner)

    def check(self, runner: Runner) -> None:
        if not self.steps:
            return
        steps, self.steps = self.steps, []
        # One transfer from a GPU, and no copy on a CPU, where it is one step.
        losses = torch.stack([loss for _, _, loss in steps]).tolist() if len(steps) > 1 else [steps[0][2].item()]
        for (number, batch_idx, _), loss in zip(steps, losses):
            # nan compares with nothing.
            if not abs(loss) < float('inf'):
                last = runner.message_hub.runtime_info.get('last_ckpt')
                raise TrainingError(
                    f'the loss is {loss} at iteration {number}, epoch {runner.epoch + 1}, of '
                    f'{image_names(runner, batch_idx)}: look at these and at the learning rate; the last checkpoint '
                    f'before it is {last}'
                )


def image_names(runner: Runner, batch_idx: int) -> str:
    """A batch's images in this process by name, where the sampler knows them although the batch does not."""
    loader = runner.train_dataloader
    if not isinstance(loader.sampler, DefaultSampler):
        return 'images whose names its sampler does not tell'
    size = loader.batch_sampler.batch_size
    # All of the epoch, also where the run went on within it.
    indices = islice(DefaultSampler.__iter__(loader.sampler), batch_idx * size, (batch_idx + 1) * size)
    names = [str(loader.dataset.get_data_info(index).get('img_path', f'number {index}')) for index in indices]
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return f'the images {", ".join(names[:SHOWN])}{more}'
