"""What the loop calls in a step; tests/test_engine/test_exact_resume.py has the rest."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import CheckpointLoader
from torch.utils.data import DataLoader

from imcnn_plugin.engine import ResumableTrainLoop
from imcnn_plugin.errors import DataError


class Both(Hook):
    """Counts by the methods that serve training, validation and test alike."""

    def __init__(self):
        self.calls = []

    def _before_iter(self, runner, batch_idx, data_batch=None, mode='train'):
        self.calls.append(('before', batch_idx, mode))

    def _after_iter(self, runner, batch_idx, data_batch=None, outputs=None, mode='train'):
        self.calls.append(('after', batch_idx, mode, outputs))


class After(Hook):
    def __init__(self):
        self.calls = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.calls.append((batch_idx, data_batch, outputs))


class Loader(list):
    sampler = SimpleNamespace()
    batch_sampler = SimpleNamespace(batch_size=2)


def test_hooks_are_called_in_each_step_and_idle_ones_are_left_out():
    both, after, idle = Both(), After(), Hook()
    model = SimpleNamespace(train=lambda: None, train_step=lambda batch, optim_wrapper: dict(loss=batch))
    runner = SimpleNamespace(hooks=[idle, both, after], model=model, optim_wrapper=None, call_hook=lambda name: None)
    loop = ResumableTrainLoop.__new__(ResumableTrainLoop)
    loop._runner, loop.dataloader, loop.first_step, loop._epoch, loop._iter = runner, Loader('ab'), 0, 0, 0
    loop.run_epoch()
    assert loop.before_step == [both] and loop.after_step == [both, after]
    assert both.calls == [
        ('before', 0, 'train'), ('after', 0, 'train', dict(loss='a')),
        ('before', 1, 'train'), ('after', 1, 'train', dict(loss='b')),
    ]  # fmt: skip
    assert after.calls == [(0, 'a', dict(loss='a')), (1, 'b', dict(loss='b'))]
    assert (loop._epoch, loop._iter) == (1, 2)


def test_a_runner_of_others_then_loads_by_weights_only(stock_loaders, tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    path = str(tmp_path / 'a.pth')
    torch.save(dict(state_dict={}, meta=dict(more=SimpleNamespace())), path)
    assert CheckpointLoader.load_checkpoint(path)['meta']['more'] == SimpleNamespace()
    ResumableTrainLoop(None, DataLoader([1, 2]), max_epochs=1)
    with pytest.raises(DataError, match='a.pth holds more than weights'):
        CheckpointLoader.load_checkpoint(path)
