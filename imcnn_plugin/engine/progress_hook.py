from typing import Dict

from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner

from ..progress import BETWEEN_LINES, ProgressLines


class ProgressHook(Hook):
    """Logs the remaining time once a minute while :class:`LoggerHook`, which counts steps, logs nothing.

    On a CPU, the steps between two of its lines may take minutes, and an evaluation may have fewer batches than its
    interval. ``build_runner`` registers this hook; in a config, it would change the config hash of sweeps.
    """

    priority = 'LOWEST'

    def __init__(self):
        # The keys are the modes 'train', 'val' and 'test'.
        self.lines: Dict[str, ProgressLines] = {}

    def before_train(self, runner: Runner) -> None:
        self.lines['train'] = ProgressLines('Training, steps', runner.max_iters, runner.iter, BETWEEN_LINES)

    def before_val(self, runner: Runner) -> None:
        self.lines['val'] = ProgressLines('Validation, batches', len(runner.val_dataloader), first=BETWEEN_LINES)

    def after_val(self, runner: Runner) -> None:
        # The result of the validation was just logged.
        if 'train' in self.lines:
            self.lines['train'].postpone()

    def before_test(self, runner: Runner) -> None:
        self.lines['test'] = ProgressLines('Test, batches', len(runner.test_dataloader), first=BETWEEN_LINES)

    def _after_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None, mode: str = 'train') -> None:
        lines = self.lines[mode]
        loggers = (hook for hook in runner.hooks if isinstance(hook, LoggerHook))
        if any(hook.every_n_inner_iters(batch_idx, hook.interval) for hook in loggers):
            lines.postpone()
        elif line := lines.line((runner.iter if mode == 'train' else batch_idx) + 1):
            runner.logger.info(line)
