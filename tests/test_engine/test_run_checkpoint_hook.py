import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.fileio import get_file_backend
from mmengine.logging import MMLogger
from mmpretrain.registry import HOOKS

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

    hub = SimpleNamespace(runtime_info=info, get_info=info.get, update_info=info.__setitem__)
    runner = SimpleNamespace(
        work_dir=str(tmp_path),
        message_hub=hub,
        logger=MMLogger.get_instance('test'),
        save_checkpoint=save_checkpoint,
        epoch=2,
        iter=10,
    )
    hook.before_train(runner)
    hook.after_val_epoch(runner, dict(a=2 if better else 0.5))
    assert seen == [True] * better
    assert new.exists() == better and old.exists() != better
    assert hook.best_ckpt_path == str(new if better else old)


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
