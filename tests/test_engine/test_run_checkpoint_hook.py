import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.evaluator import BaseMetric
from mmengine.fileio import FileClient, LocalBackend, get_file_backend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmpretrain.registry import HOOKS
from torch import nn

from imcnn_plugin.errors import DataError


@pytest.mark.parametrize('save_best', ['a', ['a', 'b']])
def test_forgets_best_checkpoints_of_other_runs(tmp_path, save_best):
    own, other = str(tmp_path / 'own' / 'best.pth'), str(tmp_path / 'other' / 'best.pth')
    hook = HOOKS.build(dict(type='mmpretrain.RunCheckpointHook', save_best=save_best, rule='greater'))
    runtime_info = dict(best_ckpt=other, best_ckpt_a=own, best_ckpt_b=other)
    hub = SimpleNamespace(runtime_info=runtime_info, get_info=runtime_info.get)
    hook.before_train(
        SimpleNamespace(work_dir=str(tmp_path / 'own'), message_hub=hub, logger=MMLogger.get_instance('test'))
    )
    if save_best == 'a':
        assert hook.best_ckpt_path is None
    else:
        assert hook.best_ckpt_path_dict == dict(a=own, b=None)


def make_runner(work_dir, info, save_checkpoint, **options):
    """What the hook needs of a runner at iteration 10."""
    return SimpleNamespace(
        work_dir=str(work_dir),
        message_hub=SimpleNamespace(runtime_info=info, get_info=info.get, update_info=info.__setitem__),
        logger=MMLogger.get_instance('test'),
        save_checkpoint=save_checkpoint,
        iter=10,
        **options,
    )


@pytest.mark.parametrize('save_best', ['a', 'auto'])
@pytest.mark.parametrize('better', [True, False])
def test_the_best_checkpoint_is_there_until_a_better_one_is(tmp_path, better, save_best):
    hook = HOOKS.build(dict(type='mmpretrain.RunCheckpointHook', save_best=save_best, rule='greater'))
    old, new = tmp_path / 'best_a_epoch_1.pth', tmp_path / 'best_a_epoch_2.pth'
    old.touch()
    info = dict(best_ckpt=str(old), best_score=1)
    seen = []

    def save_checkpoint(out_dir, filename, **kwargs):
        seen.append(old.exists())
        Path(out_dir, filename).touch()

    runner = make_runner(tmp_path, info, save_checkpoint, epoch=2)
    hook.before_train(runner)
    hook.after_val_epoch(runner, dict(a=2 if better else 0.5))
    assert seen == [True] * better
    assert new.exists() == better and old.exists() != better
    assert hook.best_ckpt_path == str(new if better else old)


def test_the_oldest_checkpoint_is_there_until_the_newest_is(tmp_path):
    hook = HOOKS.build(dict(type='mmpretrain.RunCheckpointHook', max_keep_ckpts=1, interval=1))
    info, seen = {}, []

    def save_checkpoint(out_dir, filename, *args, **kwargs):
        seen.append(sorted(path.name for path in tmp_path.glob('*.pth')))
        Path(out_dir, filename).touch()

    runner = make_runner(tmp_path, info, save_checkpoint, model=nn.Linear(1, 1), hooks=[hook], max_epochs=9)
    hook.before_train(runner)
    for runner.epoch in range(3):
        hook.after_train_epoch(runner)
    assert seen == [[], ['epoch_1.pth'], ['epoch_2.pth']]
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']
    # Killed before the oldest was removed: the resumed run does that.
    (tmp_path / 'epoch_2.pth').touch()
    hook.before_train(runner)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_3.pth']


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(b'old')
    backend = get_file_backend(backend_args=dict(backend='atomic'))

    def fail(self, content):
        with open(self, 'wb') as file:
            file.write(content[:2])
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', fail)
    with pytest.raises(DataError, match='No space left on device'):
        backend.put(b'new content', path)
    monkeypatch.undo()
    assert path.read_bytes() == b'old'
    assert [entry.name for entry in tmp_path.iterdir()] == ['epoch_1.pth']
    backend.put(b'new content', path)
    assert path.read_bytes() == b'new content'


@register_backend('shelf', prefixes='shelf')
class Shelf(LocalBackend):
    """A storage whose files no path of the file system names: ``shelf://a/b``."""

    folder = None

    def _on_disk(self, path):
        prefix, separator, name = str(path).partition('://')
        assert (prefix, separator) == ('shelf', '://'), f'{path} is not on the shelf'
        return self.folder / name

    def put(self, obj, filepath):
        super().put(obj, self._on_disk(filepath))

    def isfile(self, filepath):
        return super().isfile(self._on_disk(filepath))

    def isdir(self, filepath):
        return super().isdir(self._on_disk(filepath))

    def remove(self, filepath):
        self._on_disk(filepath).unlink()


class Metric(BaseMetric):
    """Worse in the second epoch."""

    values = iter(())

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return dict(a=next(self.values))


@pytest.mark.parametrize('options', [dict(backend_args=dict(backend='shelf')), {}])
def test_files_are_on_the_storage_of_the_config(toy_run, tmp_path, monkeypatch, options):
    monkeypatch.setattr(Shelf, 'folder', tmp_path / 'shelf')
    monkeypatch.setattr(Metric, 'values', iter((3, 2)))
    FileClient.register_backend('shelf', Shelf, force=True, prefixes='shelf')
    hook = dict(out_dir='shelf://runs', interval=1, max_keep_ckpts=1, save_best='a', rule='greater', **options)
    runner = toy_run(
        default_hooks=dict(checkpoint=dict(type='mmpretrain.RunCheckpointHook', **hook)), metric=[Metric(prefix='')]
    )
    [checkpoints] = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    folder = tmp_path / 'shelf' / 'runs' / Path(runner.work_dir).name
    assert sorted(path.name for path in folder.iterdir()) == ['best_a_epoch_1.pth', 'epoch_2.pth']
    checkpoints.save_interrupted(runner, 2, 6)
    last = Path(runner.work_dir, 'last_checkpoint')
    assert last.read_text() == f'shelf://runs/{folder.name}/interrupted.pth'
    checkpoints.after_train(runner)
    assert last.read_text() == f'shelf://runs/{folder.name}/epoch_2.pth' and not (folder / 'interrupted.pth').exists()


@pytest.mark.parametrize('name', ['backend_args', 'file_client_args'])
def test_the_local_backend_writes_atomically(name):
    hook = HOOKS.build(dict(type='mmpretrain.RunCheckpointHook', **{name: dict(backend='local')}))
    assert hook.backend_args == dict(backend='atomic') and hook.file_client_args is None
