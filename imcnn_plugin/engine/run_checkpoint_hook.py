from pathlib import Path
from typing import Optional

from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS


@HOOKS.register_module()
class RunCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook``, but it deletes no best checkpoint of another run.

    A checkpoint remembers where the best one of its run lies. Resumed into another work folder, the stock hook removes
    that file as soon as the new run is better.
    """

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        if self.save_best is None:
            return
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = self._own(runner, self.best_ckpt_path)
        else:
            self.best_ckpt_path_dict = {key: self._own(runner, path) for key, path in self.best_ckpt_path_dict.items()}

    def _own(self, runner: Runner, path: Optional[str]) -> Optional[str]:
        if path and Path(path).resolve().parent != Path(self.out_dir).resolve():
            runner.logger.info(f'{path}, the best checkpoint so far, belongs to another run and is left there.')
            return None
        return path
