import signal
from typing import Optional

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from .run_checkpoint_hook import RunCheckpointHook

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Processes ask each other every so many steps whether one of them is to stop.
INTERVAL = 10


@HOOKS.register_module()
class InterruptHook(Hook):
    """Saves a checkpoint and ends the run when the process is asked to stop.

    SIGTERM is what Slurm and cloud machines send some time before they kill, SIGINT is Ctrl-C; a second one ends the
    process at once. In a validation, the run stops when that is done. The exit status is 128 and the signal's number.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        self.signal = 0
        self.handlers = {number: signal.signal(number, self._remember) for number in SIGNALS}

    def after_train(self, runner: Runner) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame) -> None:
        self.signal = number
        signal.signal(number, self.handlers[number])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None, outputs: Optional[dict] = None
    ) -> None:
        self._stop_if_asked(runner, epoch=runner.epoch, iter=runner.iter + 1)

    def after_val_epoch(self, runner: Runner, metrics: Optional[dict] = None) -> None:
        # A validation without a training has installed nothing.
        if hasattr(self, 'signal'):
            self._stop_if_asked(runner, epoch=runner.epoch, iter=runner.iter)

    def _stop_if_asked(self, runner: Runner, epoch: int, iter: int) -> None:
        number = self.signal
        if get_world_size() > 1:
            if iter % INTERVAL:
                return
            asked = torch.tensor(number)
            all_reduce(asked, 'max')
            number = int(asked)
        if not number:
            return
        name = signal.Signals(number).name
        for hook in runner.hooks:
            if isinstance(hook, RunCheckpointHook):
                path = hook.save_interrupted(runner, epoch, iter)
                runner.logger.warning(f'{name} at iteration {iter}: saved {path}, and --resume goes on from there.')
        # The first process writes; a launcher ends all as soon as one of the others is gone.
        barrier()
        self.after_train(runner)
        raise SystemExit(128 + number)
