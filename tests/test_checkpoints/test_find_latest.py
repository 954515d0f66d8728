import os
import shutil
import sys
from pathlib import Path

import pytest
import torch

from imcnn_plugin.checkpoints import find_best, find_latest
from imcnn_plugin.errors import DataError


@pytest.fixture
def work_dir(tmp_path):
    """Three checkpoints, of which last_checkpoint names the newest, and the best one."""
    for age, name in enumerate(('epoch_3', 'epoch_2', 'epoch_1')):
        content = dict(state_dict=dict(weight=torch.randn(1000)), message_hub={})
        torch.save(content, tmp_path / f'{name}.pth')
        os.utime(tmp_path / f'{name}.pth', (1000 - age, 1000 - age))
    torch.save({}, tmp_path / 'best_epoch_3.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    return tmp_path


def name_of(path):
    return Path(path).name


def test_takes_the_one_that_is_named(work_dir):
    assert name_of(find_latest(work_dir)) == 'epoch_3.pth'
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_2.pth'))
    assert name_of(find_latest(work_dir)) == 'epoch_2.pth'


@pytest.mark.parametrize('pointer', [None, '', 'epoch_9.pth'])
def test_takes_the_newest_where_none_is_named(work_dir, pointer):
    (work_dir / 'last_checkpoint').unlink()
    if pointer is not None:
        (work_dir / 'last_checkpoint').write_text(pointer)
    assert name_of(find_latest(work_dir)) == 'epoch_3.pth'


def test_finds_it_in_a_folder_that_was_moved(work_dir, tmp_path_factory):
    (work_dir / 'last_checkpoint').write_text('/elsewhere/epoch_2.pth')
    assert find_latest(work_dir) == str(work_dir / 'epoch_2.pth')


def test_the_best_checkpoint_is_the_one_that_training_tested(work_dir, tmp_path_factory):
    assert find_best(work_dir) == str(work_dir / 'best_epoch_3.pth')
    # Of another metric, and newer.
    torch.save({}, work_dir / 'best_mAP_epoch_2.pth')
    assert name_of(find_best(work_dir)) == 'best_mAP_epoch_2.pth'
    (work_dir / 'best.pth').symlink_to('best_epoch_3.pth')
    assert find_best(work_dir) == str(work_dir / 'best_epoch_3.pth')
    copy = shutil.copytree(work_dir, tmp_path_factory.mktemp('copy') / 'run', symlinks=False)
    assert find_best(copy) == str(copy / 'best.pth')
    # A link without its file does not count.
    (work_dir / 'best_epoch_3.pth').unlink()
    assert name_of(find_best(work_dir)) == 'best_mAP_epoch_2.pth'


def test_a_copy_has_its_own_checkpoint(work_dir, tmp_path_factory):
    copy = shutil.copytree(work_dir, tmp_path_factory.mktemp('copy') / 'run')
    assert find_latest(copy) == str(copy / 'epoch_3.pth')
    (copy / 'epoch_3.pth').unlink()
    assert find_latest(copy) == str(copy / 'epoch_2.pth')
    # Only a run that has its checkpoints elsewhere names those.
    for path in copy.glob('epoch_*.pth'):
        path.unlink()
    assert find_latest(copy) == str(work_dir / 'epoch_3.pth')


def damage(path, how):
    content = path.read_bytes()
    if how == 'empty':
        content = b''
    elif how == 'truncated':
        content = content[: len(content) // 2]
    else:
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes(content)


@pytest.mark.parametrize('how', ['empty', 'truncated', 'flipped'])
def test_passes_over_a_broken_one_with_a_warning(work_dir, how, monkeypatch):
    said = []
    module = sys.modules[find_latest.__module__]
    monkeypatch.setattr(module, 'print_log', lambda message, *args: said.append(message))
    damage(work_dir / 'epoch_3.pth', how)
    assert name_of(find_latest(work_dir)) == 'epoch_2.pth'
    assert len(said) == 1 and f'{work_dir}/epoch_3.pth is' in said[0]
    damage(work_dir / 'epoch_2.pth', how)
    damage(work_dir / 'epoch_1.pth', how)
    with pytest.raises(DataError, match='none of the 3 checkpoints can be resumed'):
        find_latest(work_dir)


def test_a_published_file_is_not_the_newest(work_dir):
    torch.save(dict(meta=dict(epoch=3, iter=9), state_dict={}), work_dir / 'run-12345678.pth')
    (work_dir / 'last_checkpoint').unlink()
    assert name_of(find_latest(work_dir)) == 'epoch_3.pth'
    for path in work_dir.glob('epoch_*.pth'):
        path.unlink()
    with pytest.raises(DataError, match='none of the 1 checkpoints can be resumed'):
        find_latest(work_dir)


def test_an_empty_folder_has_none(tmp_path):
    assert find_latest(tmp_path) is None
    assert find_latest(tmp_path / 'missing') is None
