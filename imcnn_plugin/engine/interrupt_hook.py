import signal
import time
from typing import Callable, Dict, Optional

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..framework import swap_ema_weights
from ..signals import install_handlers, let_workers_follow, restore_handlers
from .resumable_train_loop import _VALIDATED, ResumableTrainLoop
from .run_checkpoint_hook import RunCheckpointHook

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# The seconds between checks whether any process was asked to stop. torchrun waits 30 s for all processes.
_INTERVAL = 1
# The maximum number of steps between checks, since steps may become slower.
_MAX_STEPS = 100


@HOOKS.register_module()
class InterruptHook(Hook):
    """Saves a checkpoint and ends the run when the process is asked to stop, also during validation.

    Slurm and cloud machines send SIGTERM some time before they kill a process; Ctrl-C sends SIGINT. A second signal
    ends the process immediately. The exit status is 128 plus the signal's number. In distributed runs, processes check
    about once a second whether any of them received a signal. Data loader workers ignore both signals, which launchers
    also send to them, and exit with their parent process. Only runs in the main thread can be interrupted, since
    Python handles signals there.
    """

    priority = 'LOWEST'
    # runner.val() installs no handlers, and training may fail before it does.
    signal: Optional[int] = None
    handlers: Dict[int, Callable] = {}

    def before_train(self, runner: Runner) -> None:
        self.signal = 0
        self.handlers = install_handlers(self._remember, *_SIGNALS)
        if not self.handlers:
            runner.logger.warning('Not in the main thread: SIGTERM and Ctrl-C save no checkpoint of this run.')

    def after_train(self, runner: Runner) -> None:
        restore_handlers(self.handlers)

    def after_failure(self, runner: Runner) -> None:
        """Called by :class:`ResumableTrainLoop` when a run raises an exception."""
        self.after_train(runner)

    def _remember(self, number: int, frame) -> None:
        self.signal = number
        restore_handlers({number: self.handlers[number]})

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        let_workers_follow(getattr(runner, f'{mode}_dataloader'))
        # Evaluation batches and training steps differ in speed.
        self._ask_next()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None, outputs: Optional[dict] = None
    ) -> None:
        if number := self._ask():
            self._stop(runner, number, runner.iter + 1)

    def before_val_epoch(self, runner: Runner) -> None:
        super().before_val_epoch(runner)
        # A process may have one batch more than another.
        shared = torch.tensor(len(runner.val_dataloader))
        all_reduce(shared, 'min')
        self.num_shared, self.passes = int(shared), 0

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Optional[dict] = None, outputs: Optional[dict] = None
    ) -> None:
        if self.signal is None or not isinstance(runner.train_loop, ResumableTrainLoop):
            # Other loops would not repeat this validation.
            return
        self.passes += batch_idx == 0
        # mmpretrain's EMAHook may begin a second pass, when the results of the first are already logged.
        if self.passes > 1 or batch_idx >= self.num_shared or not (number := self._ask()):
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook) and getattr(hook, 'evaluate_on_ema', True):
                swap_ema_weights(hook)
        # The run resumes with this validation.
        runner.message_hub.update_info(_VALIDATED, runner.epoch - 1)
        self._stop(runner, number, runner.iter)

    def after_val_epoch(self, runner: Runner, metrics: Optional[dict] = None) -> None:
        self._ask_next()
        if self.signal is not None and (number := self._ask()):
            self._stop(runner, number, runner.iter)

    def _ask_next(self) -> None:
        """Makes the processes check for signals after the next step or batch."""
        self.interval, self.steps, self.asked_at = 1, 0, time.perf_counter()

    def _ask(self) -> int:
        """The signal that any process received, or 0. All processes call it equally often and get the same result."""
        if get_world_size() == 1:
            return self.signal
        self.steps += 1
        if self.steps < self.interval:
            return 0
        found = torch.tensor([self.signal, (time.perf_counter() - self.asked_at) / self.steps])
        all_reduce(found, 'max')
        number, seconds = found.tolist()
        self._ask_next()
        self.interval = max(1, int(_INTERVAL / max(seconds, _INTERVAL / _MAX_STEPS)))
        return int(number)

    def _stop(self, runner: Runner, number: int, iter: int) -> None:
        name = signal.Signals(number).name
        for hook in runner.hooks:
            if isinstance(hook, RunCheckpointHook):
                path = hook.save_interrupted(runner, runner.epoch, iter)
                runner.logger.warning(f'{name} at iteration {iter}: saved {path}; --resume continues from there.')
        # Wait for the main process, which writes: a launcher ends all processes as soon as one has exited.
        barrier()
        self.after_train(runner)
        raise SystemExit(128 + number)
