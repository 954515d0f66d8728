from typing import Any, List

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.hooks import EarlyStoppingHook, Hook
from mmengine.runner import EpochBasedTrainLoop
from mmpretrain.registry import LOOPS

from ..checkpoints import register_safe_loaders
from ..datasets.resumable_sampler import ResumableSampler
from ..errors import ConfigError
from ..framework import is_resuming

# The key of the last validated epoch in checkpoints.
_VALIDATED = 'last_validated_epoch'


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """Trains by epoch and resumes exactly where a checkpoint was written, even within an epoch.

    mmengine's loop would restart the epoch, run past the end, and skip the validation in which a run was stopped. The
    sampler must be a :class:`~imcnn_plugin.datasets.ResumableSampler`; checkpoints store its seed.

    Raises:
        ConfigError: An epoch would have no steps or no end, or a run resumes within an epoch and its sampler cannot.
    """

    def __init__(self, *args, **kwargs):
        # For runners of other tools, which load weights and resume after they have built the loop.
        register_safe_loaders()
        super().__init__(*args, **kwargs)
        if not len(self.dataloader):
            raise ConfigError(
                f'{len(self.dataloader.dataset)} training images in {get_world_size()} processes give no batch of '
                f'{self.dataloader.batch_sampler.batch_size}: reduce train_dataloader.batch_size, or drop_last=False'
            )
        if self.val_interval < 1:
            raise ConfigError(f'train_cfg.val_interval is {self.val_interval}: give a number of epochs of at least 1')
        if isinstance(self.sampler, InfiniteSampler):
            raise ConfigError(
                "an epoch of train_dataloader.sampler InfiniteSampler never ends: use 'ResumableSampler'"
            )

    @property
    def sampler(self) -> Any:
        """The data loader's sampler; None for a list, with which mmpretrain's vis_scheduler.py simulates training."""
        return getattr(self.dataloader, 'sampler', None)

    def run(self) -> torch.nn.Module:
        try:
            self._run()
        except BaseException:
            # mmengine does not notify hooks, but InterruptHook must restore the signal handlers.
            self.runner.call_hook('after_failure')
            raise
        return self.runner.model

    def _run(self) -> None:
        # This comes before the hooks, which report the number of iterations to others.
        self.first_step = self.steps_done()
        max_iters = self._iter - self.first_step + (self._max_epochs - self._epoch) * len(self.dataloader)
        if max_iters != self._max_iters:
            self._max_iters = max_iters
            # The last step updates the weights with whatever gradients have accumulated.
            self.runner.optim_wrapper.initialize_count_status(self.runner.model, self._iter, max_iters)
        self.runner.call_hook('before_train')
        if isinstance(self.sampler, ResumableSampler):
            # The sampler was built before the checkpoint was loaded.
            self.sampler.seed = self.runner.message_hub.runtime_info.get('sampler_seed', self.sampler.seed)
            self.runner.message_hub.update_info('sampler_seed', self.sampler.seed)
        if is_resuming(self.runner):
            self._repeat_early_stopping()
        if self._epoch and not self.first_step:
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')

    def _repeat_early_stopping(self) -> None:
        """Replays the validations before the checkpoint to EarlyStoppingHook, whose state checkpoints do not have."""
        for hook in self.runner.hooks:
            if isinstance(hook, EarlyStoppingHook):
                history = self.runner.message_hub.log_scalars.get(f'val/{hook.monitor}')
                for value in history.data[0].tolist() if history else ():
                    hook.after_val_epoch(self.runner, {hook.monitor: value})

    def run_epoch(self) -> None:
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        self.before_step, self.after_step = (self._hooks_with(f'{when}_train_iter') for when in ('before', 'after'))
        if isinstance(self.sampler, ResumableSampler):
            self.sampler.first = self.first_step * self.dataloader.batch_sampler.batch_size
        for idx, data_batch in enumerate(self.dataloader, self.first_step):
            self.run_iter(idx, data_batch)
        self.first_step = 0
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _hooks_with(self, name: str) -> List[Hook]:
        """The hooks that override a method. Calling all hooks in each step would take longer than their work does."""
        general = '_before_iter' if name.startswith('before') else '_after_iter'
        return [
            hook
            for hook in self.runner.hooks
            if any(getattr(type(hook), method, None) is not getattr(Hook, method) for method in (name, general))
        ]

    def run_iter(self, idx: int, data_batch: Any) -> None:
        runner = self.runner
        for hook in self.before_step:
            hook.before_train_iter(runner, batch_idx=idx, data_batch=data_batch)
        outputs = runner.model.train_step(data_batch, optim_wrapper=runner.optim_wrapper)
        for hook in self.after_step:
            hook.after_train_iter(runner, batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _validate_if_due(self) -> None:
        hub = self.runner.message_hub
        # Older checkpoints use a key that loggers mistake for a 'val' metric.
        validated = hub.runtime_info.get(_VALIDATED, hub.pop_info('validated_epoch', None))
        self._decide_current_val_interval()
        due = self._epoch >= self.val_begin and (
            self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        )
        # The checkpoint at the end of an epoch is written before this update, those of the validation after it.
        if due and self.runner.val_loop is not None and validated != self._epoch:
            hub.update_info(_VALIDATED, self._epoch)
            self.runner.val_loop.run()

    def steps_done(self) -> int:
        """The number of steps of the current epoch before the checkpoint.

        Raises:
            ConfigError: There are such steps, and the sampler cannot skip their images.
        """
        hub, steps = self.runner.message_hub, len(self.dataloader)
        # Checkpoints of mmengine's own loop have only the total numbers of epochs and iterations.
        epochs, iterations = (hub.runtime_info.get(key, 0) for key in ('max_epochs', 'max_iters'))
        before = hub.runtime_info.get('steps_per_epoch') or (iterations // epochs if epochs else steps)
        # The epoch and iteration from which epochs have had this many steps.
        epoch, iteration = hub.runtime_info.get('steps_counted_from', (0, 0))
        done = self._iter - iteration - (self._epoch - epoch) * before
        hub.update_info('steps_per_epoch', steps)
        if before != steps:
            hub.update_info('steps_counted_from', (self._epoch, self._iter))
            if done:
                self.runner.logger.warning(
                    f'The checkpoint was written within an epoch of {before} steps, which has {steps} now: the epoch '
                    'restarts.'
                )
            return 0
        if done and not isinstance(self.sampler, ResumableSampler):
            raise ConfigError(
                f'train_dataloader.sampler is a {type(self.sampler).__name__}, which cannot resume within '
                "an epoch: write sampler=dict(type='ResumableSampler', shuffle=True)"
            )
        return done
