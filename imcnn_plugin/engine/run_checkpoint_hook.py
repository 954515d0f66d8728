from pathlib import Path
from typing import Optional

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..files import write_text

INTERRUPTED = 'interrupted.pth'


@HOOKS.register_module()
class RunCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, but no file is lost: not when the process dies, nor one of another run.

    Files are written whole or not at all, and the best checkpoint is there until a better one is. A checkpoint
    remembers where the best one of its run lies: resumed into another work folder, the stock hook removes that file as
    soon as the new run is better, this one does not.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, backend_args=dict(backend='whole_file'), **kwargs)

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        # The stock hook forgets it, and then does not write into it what a validation after the resuming found.
        last = runner.message_hub.runtime_info.get('last_ckpt')
        self.last_ckpt = last if self._is_own(last) else None
        if self.save_best is None:
            return
        best = self._best()
        for key, path in best.items():
            if path and not self._is_own(path):
                runner.logger.info(f'{path}, the best checkpoint so far, belongs to another run and is left there.')
                best[key] = None
        self._set_best(best)

    def after_train(self, runner: Runner) -> None:
        super().after_train(runner)
        # A run that was stopped in its last validation has no regular checkpoint before it that would do this.
        interrupted = Path(self.out_dir, INTERRUPTED)
        if is_main_process() and interrupted.is_file() and self.last_ckpt:
            write_text(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt)
            interrupted.unlink()

    def save_interrupted(self, runner: Runner, epoch: int, iter: int) -> Path:
        """Saves a run that is about to end at this place; the next regular checkpoint replaces the file."""
        runner.save_checkpoint(
            self.out_dir, INTERRUPTED, meta=dict(epoch=epoch, iter=iter), backend_args=self.backend_args
        )
        path = Path(self.out_dir, INTERRUPTED)
        if is_main_process():
            write_text(Path(runner.work_dir, 'last_checkpoint'), str(path))
        return path

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            Path(self.out_dir, INTERRUPTED).unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if self.save_best is None:
            return
        if self.key_indicators == ['auto']:
            self._init_rule(self.rules, [next(iter(metrics))])
        # The stock hook removes the best checkpoint that it knows of before it writes the better one.
        before = self._best()
        self._set_best(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        after = self._best()
        self._set_best({key: after[key] or before[key] for key in before})
        for key, path in before.items():
            if path and after[key] and path != after[key] and is_main_process():
                Path(path).unlink(missing_ok=True)

    def _best(self) -> dict:
        """Paths of the best checkpoints by indicator."""
        if len(self.key_indicators) == 1:
            return {self.key_indicators[0]: self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best(self, paths: dict) -> None:
        if len(self.key_indicators) == 1:
            (self.best_ckpt_path,) = paths.values()
        else:
            self.best_ckpt_path_dict = paths

    def _is_own(self, path: Optional[str]) -> bool:
        return bool(path) and Path(path).resolve().parent == Path(self.out_dir).resolve()
