import inspect
from collections import deque
from pathlib import Path
from typing import Optional

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..checkpoints import BEST, register_safe_loaders
from ..errors import ConfigError
from ..files import write_text
from ..framework import is_resuming
from .finite_loss_hook import FiniteLossHook
from .process_state import _gather_state, _restore_state

_INTERRUPTED = 'interrupted.pth'


@HOOKS.register_module()
class RunCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` with atomic writes; another run's best checkpoint is never deleted.

    ``best.pth`` is a link to the best checkpoint of the first metric in ``save_best``, where it is on a local disk.

    The best checkpoint exists until a better one does, and the oldest until the newest one does. A checkpoint stores
    the path of the best one of its run: if it is resumed into another work directory, the stock hook deletes that file
    as soon as the new run is better, and this one does not. With ``backend_args``, or an ``out_dir`` such as
    ``s3://...``, files are on that storage, whose own writes decide whether they are atomic; ``--resume`` and the
    final test read what mmengine can load.

    A run with this hook loads checkpoints by ``weights_only``, see
    :func:`~imcnn_plugin.checkpoints.register_safe_loaders`, also where another project's tool starts it.
    """

    def __init__(self, *args, **kwargs):
        register_safe_loaders()
        super().__init__(*args, **kwargs)
        # The stock hook keeps options that it does not know for Runner.save_checkpoint, which fails after an epoch.
        if unknown := self.args.keys() - inspect.signature(Runner.save_checkpoint).parameters.keys():
            raise TypeError(f'RunCheckpointHook has no option {sorted(unknown)[0]!r}')
        # The older name of the same argument.
        self.backend_args, self.file_client_args = self.backend_args or self.file_client_args, None
        if self.backend_args in (None, dict(backend='local')) and '://' not in str(self.out_dir):
            self.backend_args = dict(backend='atomic')
        self.file_backend = None
        self.process_state: dict = {}

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        # The stock hook forgets it, and then does not add the result of a validation after resuming to it.
        last = runner.message_hub.runtime_info.get('last_ckpt')
        self.last_ckpt = last if self._is_own(last) else None
        if self.max_keep_ckpts > 0:
            # One more while a checkpoint is written.
            self.keep_ckpt_ids = deque(self.keep_ckpt_ids)
        if self.save_best is None:
            return
        best = self._best()
        for key, path in best.items():
            if path and not self._is_own(path):
                runner.logger.info(f'{path}, the best checkpoint so far, belongs to another run and is kept there.')
                best[key] = None
        self._set_best(best)

    def after_train(self, runner: Runner) -> None:
        super().after_train(runner)
        # A run that was stopped in its last validation has no regular checkpoint before it that would do this.
        if is_main_process() and self.file_backend.isfile(self._interrupted) and self.last_ckpt:
            write_text(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt)
            self._remove(self._interrupted)

    def save_interrupted(self, runner: Runner, epoch: int, iter: int) -> str:
        """Saves a run that is about to stop after ``epoch`` whole epochs and ``iter`` iterations; returns the file.

        The next regular checkpoint replaces it. Every process must call it.
        """
        self._prepare(runner)
        runner.save_checkpoint(
            self.out_dir, _INTERRUPTED, meta=dict(epoch=epoch, iter=iter), backend_args=self.backend_args
        )
        if is_main_process():
            write_text(Path(runner.work_dir, 'last_checkpoint'), self._interrupted)
        return self._interrupted

    def _prepare(self, runner: Runner) -> None:
        """What every process must do before the main one saves."""
        for hook in runner.hooks:
            if isinstance(hook, FiniteLossHook):
                hook.check(runner)
        self.process_state = _gather_state(runner.model)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if 'optimizer' in checkpoint:
            checkpoint.update(self.process_state)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if is_resuming(runner):
            _restore_state(runner.model, checkpoint)
            _relocate(checkpoint.get('message_hub', {}).get('runtime_info', {}), runner.cfg.get('load_from'))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._prepare(runner)
        # The stock hook removes the oldest checkpoint before it writes this one: there may be no other.
        limited = self.max_keep_ckpts > 0
        self.max_keep_ckpts += limited
        super()._save_checkpoint_with_step(runner, step, meta)
        self.max_keep_ckpts -= limited
        self._remove(self._interrupted)
        while limited and len(self.keep_ckpt_ids) > self.max_keep_ckpts:
            name = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
            self._remove(self.file_backend.join_path(self.out_dir, name))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        # The backend is None in a validation without training, which saves nothing.
        if self.save_best is None or self.file_backend is None:
            return
        if self.key_indicators == ['auto']:
            self._init_rule(self.rules, [next(iter(metrics))])
        for key in self.key_indicators:
            if key not in metrics:
                raise ConfigError(
                    f'save_best is {key!r}, which this validation does not report: write one of {[*metrics]}; a '
                    'metric without labels is undefined'
                )
        # The stock hook deletes the best checkpoint that it knows before it writes the better one.
        before = self._best()
        self._set_best(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        after = self._best()
        self._set_best({key: after[key] or before[key] for key in before})
        for key, path in before.items():
            if path and after[key] and path != after[key]:
                self._remove(path)
        self._link(next(iter(after.values())))

    def _link(self, best: Optional[str]) -> None:
        """Gives the best checkpoint, whose name has its epoch, a name that stays."""
        if best and is_main_process() and self._is_own(best) and Path(best).is_file():
            link = Path(best).with_name(BEST)
            # os.symlink does not replace.
            (new := link.with_suffix('.new')).unlink(missing_ok=True)
            new.symlink_to(Path(best).name)
            new.replace(link)

    @property
    def _interrupted(self) -> str:
        return self.file_backend.join_path(self.out_dir, _INTERRUPTED)

    def _remove(self, path: str) -> None:
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)

    def _best(self) -> dict:
        """Paths of the best checkpoints by metric."""
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


def _relocate(runtime_info: dict, source: Optional[str]) -> None:
    """Finds what a checkpoint names beside the checkpoint itself: its work directory may be a copy, or was moved."""
    for key, path in runtime_info.items():
        if source and path and (key == 'last_ckpt' or key.startswith('best_ckpt')):
            beside = Path(source).absolute().with_name(Path(path).name)
            if beside.is_file():
                runtime_info[key] = str(beside)
