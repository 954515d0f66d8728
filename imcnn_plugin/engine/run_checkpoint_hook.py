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

    ``best.pth`` is a link to the best checkpoint by the first metric in ``save_best``, if it is on a local disk.

    The best checkpoint is deleted only once a better one has been written, and the oldest only once the newest has
    been. A checkpoint stores the path of its run's best checkpoint. If it is resumed into another work directory, the
    stock hook deletes that file as soon as the new run is better; this hook keeps it. With ``backend_args``, or an
    ``out_dir`` such as ``s3://...``, files go to that storage, which determines whether writes are atomic.
    ``--resume`` and the final test read any path that mmengine can load.

    A run with this hook loads checkpoints with ``weights_only``, even if another project's tool starts it, see
    :func:`~imcnn_plugin.checkpoints.register_safe_loaders`.
    """

    def __init__(self, *args, **kwargs):
        register_safe_loaders()
        super().__init__(*args, **kwargs)
        # The stock hook passes unknown options on to Runner.save_checkpoint, which would fail only after an epoch.
        if unknown := self.args.keys() - inspect.signature(Runner.save_checkpoint).parameters.keys():
            raise TypeError(f'RunCheckpointHook has no option {sorted(unknown)[0]!r}')
        # file_client_args is the older name of backend_args.
        self.backend_args, self.file_client_args = self.backend_args or self.file_client_args, None
        if self.backend_args in (None, dict(backend='local')) and '://' not in str(self.out_dir):
            self.backend_args = dict(backend='atomic')
        self.file_backend = None
        self.process_state: dict = {}

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        # The stock hook forgets last_ckpt and would not add the result of a validation after resuming to it.
        last = runner.message_hub.runtime_info.get('last_ckpt')
        self.last_ckpt = last if self._is_own(last) else None
        if self.max_keep_ckpts > 0:
            # The stock hook's maximum length is dropped: there is one more while a checkpoint is written.
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
        # After a stop in the last validation, the resumed run writes no regular checkpoint, which would do this.
        if is_main_process() and self.file_backend.isfile(self._interrupted) and self.last_ckpt:
            write_text(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt)
            self._remove(self._interrupted)

    def save_interrupted(self, runner: Runner, epoch: int, iter: int) -> str:
        """Saves a run that is about to stop after ``epoch`` full epochs and ``iter`` iterations; returns the file.

        The next regular checkpoint replaces the file. Every process must call this method.
        """
        self._prepare(runner)
        runner.save_checkpoint(
            self.out_dir, _INTERRUPTED, meta=dict(epoch=epoch, iter=iter), backend_args=self.backend_args
        )
        if is_main_process():
            write_text(Path(runner.work_dir, 'last_checkpoint'), self._interrupted)
        return self._interrupted

    def _prepare(self, runner: Runner) -> None:
        """Does what every process must do before the main process saves."""
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
        # The stock hook would remove the oldest checkpoint, which may be the only one, before it writes this one.
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
        """Links a fixed name to the best checkpoint, whose own name contains the epoch."""
        if best and is_main_process() and self._is_own(best) and Path(best).is_file():
            link = Path(best).with_name(BEST)
            # os.symlink does not replace an existing link.
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
    """Replaces paths with those of files beside the checkpoint, as its work directory may be a copy or have moved."""
    for key, path in runtime_info.items():
        if source and path and (key == 'last_ckpt' or key.startswith('best_ckpt')):
            beside = Path(source).absolute().with_name(Path(path).name)
            if beside.is_file():
                runtime_info[key] = str(beside)
