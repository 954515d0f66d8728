import signal
from typing import Optional

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from .run_checkpoint_hook import RunCheckpointHook

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Processes ask each other every this many steps whether one of them was asked to stop.
_INTERVAL = 10


@HOOKS.register_module()
class InterruptHook(Hook):
    """Saves a checkpoint and ends the run when the process is asked to stop.

    Slurm and cloud machines send SIGTERM some time before they kill a process; Ctrl-C sends SIGINT. A second signal
    ends the process at once. A signal during validation takes effect after it. The exit status is 128 plus the
    signal's number.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        self.signal = 0
        self.handlers = {number: signal.signal(number, self._remember) for number in _SIGNALS}

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
        # runner.val() installs no handlers.
        if hasattr(self, 'signal'):
            self._stop_if_asked(runner, epoch=runner.epoch, iter=runner.iter)

    def _stop_if_asked(self, runner: Runner, epoch: int, iter: int) -> None:
        number = self.signal
        if get_world_size() > 1:
            if iter % _INTERVAL:
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
                runner.logger.warning(f'{name} at iteration {iter}: saved {path}; --resume continues from there.')
        # The first process writes, and a launcher ends all as soon as one of the others has exited.
        barrier()
        self.after_train(runner)
        raise SystemExit(128 + number)
