import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from imcnn_plugin.engine import build_runner, load_config

CONFIGS = Path(__file__).parents[2] / 'configs'
OWN_HOOKS = dict(
    runtime_info=dict(type='mmpretrain.DeferredRuntimeInfoHook'),
    finite_loss=dict(type='mmpretrain.FiniteLossHook'),
)
STOCK = dict(runtime_info=dict(type='RuntimeInfoHook'), timer=dict(type='IterTimerHook'))


class Recorder(Hook):
    """What the loss and the learning rate of each step were."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.losses, self.rates = [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append(outputs['loss_attr'].item())


def small_config(faces, work_dir, interval=3) -> Config:
    cfg = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces), work_dir=str(work_dir))
    cfg.model.head.id_head.num_identities = 14
    cfg.train_dataloader.batch_size = 8
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    for name in ('val', 'test'):
        cfg[f'{name}_dataloader'] = cfg[f'{name}_evaluator'] = cfg[f'{name}_cfg'] = None
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2)
    cfg.default_hooks.logger.interval = interval
    cfg.default_hooks.checkpoint = None
    return cfg


def logged_lines(work_dir) -> list:
    (path,) = Path(work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope='module')
def run(faces, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    runner = build_runner(small_config(faces, work_dir))
    recorder = Recorder()
    runner.register_hook(recorder)
    runner.train()
    return runner, recorder, logged_lines(work_dir)


def test_a_line_has_the_means_since_the_last_one(run):
    runner, recorder, lines = run
    assert len(runner.train_dataloader) == 7
    # Lines after steps 3 and 6 of each epoch; step 7 ends the epoch unseen, and does not count in the next.
    steps = [[0, 1, 2], [3, 4, 5], [7, 8, 9], [10, 11, 12]]
    assert len(lines) == len(steps)
    for line, step in zip(lines, steps):
        assert line['loss_attr'] == pytest.approx(np.mean(np.array(recorder.losses)[step]), rel=1e-5)
        assert line['lr'] == pytest.approx(recorder.rates[step[-1]])
        assert line['step'] == line['iter'] == step[-1] + 1
        assert line['time'] > 0 and line['data_time'] >= 0 and line['grad_norm'] > 0


def test_the_history_grows_with_lines_and_not_with_steps(run):
    runner, recorder, _ = run
    assert len(recorder.losses) == 14
    for name in ('loss', 'loss_attr', 'lr', 'time', 'data_time', 'grad_norm'):
        history, _ = runner.message_hub.get_scalar(f'train/{name}').data
        # Two lines and the end of each epoch.
        assert len(history) == 6, name


def test_the_estimate_counts_down(run):
    runner, _, _ = run
    assert runner.message_hub.get_info('eta') == 0
    assert runner.message_hub.get_info('iter') == 13


def test_training_is_that_of_the_stock_hooks(run, faces, tmp_path):
    _, recorder, _ = run
    cfg = small_config(faces, tmp_path)
    cfg.default_hooks.update(copy.deepcopy(STOCK))
    cfg.optim_wrapper.type = 'OptimWrapper'
    stock = build_runner(cfg)
    other = Recorder()
    stock.register_hook(other)
    stock.train()
    assert recorder.losses == other.losses
    names = {'loss', 'loss_attr', 'loss_id', 'lr', 'time', 'data_time', 'grad_norm', 'epoch', 'iter', 'step'}
    assert names <= set(logged_lines(tmp_path)[-1])
    assert set(run[2][-1]) == set(logged_lines(tmp_path)[-1])


def test_no_step_reads_a_number_from_the_device(faces, tmp_path, monkeypatch):
    """On a GPU each such reading waits until all work is done."""
    cfg = small_config(faces, tmp_path, interval=100)
    # On a CPU, where nothing is waited for, this one looks at each loss.
    cfg.default_hooks.finite_loss = None
    runner = build_runner(cfg)
    runner.train_loop  # noqa: B018, built when asked for
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.optim_wrapper.initialize_count_status(runner.model, 0, 14)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    for stage in ('before_run', 'before_train', 'before_train_epoch'):
        runner.call_hook(stage)
    batch = next(iter(runner.train_dataloader))

    def refuse(*args, **kwargs):
        raise AssertionError('a number was read from the device')

    for name in ('item', 'tolist', '__float__', '__bool__', '__int__', 'cpu'):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    runner.train_loop.run_iter(0, batch)


@pytest.mark.parametrize('scale', [float, lambda value: value, np.float32])
def test_numbers_of_a_models_own_train_step_are_logged(toy_run, tmp_path, scale):
    """A train_step may return Python numbers, NumPy's, tensors, or a mix of them."""
    returned = iter((1.0, 2.0, 6.0, 4.0, 4.0, 4.0))

    def step(self, data, optim_wrapper):
        loss = next(returned)
        optim_wrapper.update_params(self.fc.weight.sum())
        return dict(loss=torch.tensor(loss), loss_a=scale(loss), images=1)

    runner = toy_run(step, default_hooks=OWN_HOOKS)
    for name in ('loss', 'loss_a'):
        assert runner.message_hub.get_scalar(f'train/{name}').data[0].tolist() == [3, 4]
    assert runner.message_hub.get_scalar('train/images').data[0].tolist() == [1, 1]


def test_a_train_step_may_return_nothing(toy_run):
    runner = toy_run(lambda self, data, optim_wrapper: None, default_hooks=OWN_HOOKS)
    assert len(runner.message_hub.get_scalar('train/lr').data[0]) == 2


def test_a_loop_of_iterations_validates_between_two_steps(faces, tmp_path, capfd):
    cfg = small_config(faces, tmp_path, interval=1)
    base = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces))
    cfg.val_dataloader, cfg.val_evaluator, cfg.val_cfg = base.val_dataloader, base.val_evaluator, {}
    cfg.val_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.sampler.type = 'InfiniteSampler'
    cfg.train_cfg = dict(by_epoch=False, max_iters=4, val_interval=2)
    cfg.param_scheduler, cfg.log_processor.by_epoch = None, False
    build_runner(cfg).train()
    lines = logged_lines(tmp_path)
    steps = [line for line in lines if 'loss' in line]
    assert len(steps) == 4 and len(lines) == 6
    assert all(0 <= line['data_time'] <= line['time'] for line in steps)
    # The table of the last validation.
    assert capfd.readouterr().out.count('Within-identity agreement') == 1
