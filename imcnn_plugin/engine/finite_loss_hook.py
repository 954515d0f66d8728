from itertools import islice
from typing import List, Optional, Tuple

import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..errors import TrainingError
from .deferred_logging_hooks import _logs_after_step

_MAX_SHOWN = 5


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops training if the loss is not finite.

    On a GPU the losses are checked when a line is logged, so as not to wait for the device in every step, and before
    every checkpoint.

    Raises:
        TrainingError: Names the step, its images and the last checkpoint before it.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        self.steps: List[Tuple[int, int, torch.Tensor]] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None, outputs: Optional[dict] = None
    ) -> None:
        loss = outputs['loss'].detach()
        self.steps.append((runner.iter + 1, batch_idx, loss))
        if not loss.is_cuda or _logs_after_step(runner, batch_idx):
            self._check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self._check(runner)

    def _check(self, runner: Runner) -> None:
        if not self.steps:
            return
        steps, self.steps = self.steps, []
        # One transfer from a GPU.
        losses = torch.stack([loss for _, _, loss in steps]).tolist()
        for (number, batch_idx, _), loss in zip(steps, losses):
            # Comparisons with NaN are false.
            if not abs(loss) < float('inf'):
                last = runner.message_hub.runtime_info.get('last_ckpt')
                raise TrainingError(
                    f'the loss is {loss} at iteration {number}, epoch {runner.epoch + 1}, of '
                    f'{_image_names(runner, batch_idx)}: check these images and the learning rate; the last '
                    f'checkpoint before it is {last}'
                )


def _image_names(runner: Runner, batch_idx: int) -> str:
    """Names of a batch's images in this process; the sampler knows them even where the batch does not."""
    loader = runner.train_dataloader
    if not isinstance(loader.sampler, DefaultSampler):
        return 'images whose names its sampler does not know'
    size = loader.batch_sampler.batch_size
    # DefaultSampler's own iterator covers the whole epoch, also if the run was resumed within it.
    indices = islice(DefaultSampler.__iter__(loader.sampler), batch_idx * size, (batch_idx + 1) * size)
    names = [str(loader.dataset.get_data_info(index).get('img_path', f'number {index}')) for index in indices]
    more = f' and {len(names) - _MAX_SHOWN} more' if len(names) > _MAX_SHOWN else ''
    return f'the images {", ".join(names[:_MAX_SHOWN])}{more}'
