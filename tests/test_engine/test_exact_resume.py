"""A run that is stopped and resumed ends as one that was not: the same weights to the last bit, the same best one."""

import copy
import multiprocessing
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from imcnn_plugin.checkpoints import find_latest
from imcnn_plugin.engine import build_runner, load_config, train_and_test
from imcnn_plugin.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / 'configs'
STEPS = 7
EPOCHS = 2


class StopAfter(Hook):
    """Sends the process a signal after a step, in a validation, or fails as if it were killed."""

    priority = 'NORMAL'

    def __init__(self, step=None, validation=None, number=signal.SIGTERM, batch=1):
        self.step, self.validation, self.number, self.batches = step, validation, number, batch

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.step:
            self.stop()

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.epoch == self.validation:
            self.batches -= 1
            if not self.batches:
                self.stop()

    def stop(self):
        if self.number is None:
            raise SystemExit(137)
        os.kill(os.getpid(), self.number)


def config(faces, work_dir, kind):
    cfg = load_config(CONFIGS / 'imcnn_demo.py', data_root=str(faces), work_dir=str(work_dir))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16))
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    cfg.model.data_preprocessor.flip_prob = 0.5
    cfg.train_dataloader.batch_size = 8
    for name in ('train', 'val'):
        cfg[f'{name}_dataloader'].num_workers = 0
        cfg[f'{name}_dataloader'].persistent_workers = False
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.train_cfg.max_epochs = EPOCHS
    if kind == 'all':
        cfg.model.head.attr_head.dropout = 0.5
        cfg.optim_wrapper.type = 'BF16OptimWrapper'
        cfg.optim_wrapper.optimizer.fused = True
        # Neither an epoch nor the run is a multiple of it.
        cfg.optim_wrapper.accumulative_counts = 4
        cfg.default_hooks.speed.channels_last = True
        cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
        cfg.train_dataloader.num_workers = 2
    return cfg


def train(cfg, stop=None):
    runner = build_runner(cfg)
    if stop:
        runner.register_hook(stop)
    runner.train()
    return runner


def state(work_dir, name):
    return torch.load(Path(work_dir, name))


def assert_same(one, other):
    """Weights, moving averages, optimizer and schedule of two checkpoints."""
    for key in ('state_dict', 'ema_state_dict'):
        assert (key in one) == (key in other)
        for name, value in one.get(key, {}).items():
            assert torch.equal(value, other[key][name]), name
    assert one['meta']['epoch'] == other['meta']['epoch'] and one['meta']['iter'] == other['meta']['iter']
    validated = [checkpoint['message_hub']['log_scalars'].get('val/attr/mean_accuracy') for checkpoint in (one, other)]
    assert (validated[0] is None) == (validated[1] is None)
    if validated[0]:
        assert validated[0].data[0].tolist() == validated[1].data[0].tolist()
    if 'optimizer' in one:
        momenta = [list(checkpoint['optimizer']['state'].values()) for checkpoint in (one, other)]
        assert len(momenta[0]) == len(momenta[1]) > 0
        for mine, theirs in zip(*momenta):
            assert torch.equal(mine['momentum_buffer'], theirs['momentum_buffer'])
        assert one['param_schedulers'] == other['param_schedulers']


@pytest.fixture(autouse=True)
def handlers():
    """A run that is killed leaves its handlers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope='module', params=['plain', 'all'])
def uninterrupted(request, faces, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp(f'whole_{request.param}')
    runner = train(config(faces, work_dir, request.param))
    assert len(runner.train_dataloader) == STEPS
    # What loggers get is numbers of the run alone.
    [log] = work_dir.glob('*/vis_data/scalars.json')
    assert 'validated' not in log.read_text()
    return request.param, work_dir


@pytest.mark.parametrize(
    'stop',
    [
        dict(step=3),
        dict(step=STEPS),
        dict(step=STEPS + 5, number=signal.SIGINT),
        dict(step=STEPS + 5, number=None),
        dict(validation=1),
        dict(validation=1, number=None),
        dict(step=STEPS * EPOCHS),
        dict(validation=EPOCHS),
    ],
    ids=[
        'within',
        'epoch_end',
        'second_epoch',
        'killed',
        'validation',
        'killed_in_validation',
        'last_step',
        'last_validation',
    ],
)
def test_ends_as_if_it_had_not_been_stopped(uninterrupted, faces, tmp_path, handlers, stop):
    kind, whole = uninterrupted
    with pytest.raises(SystemExit) as exit:
        train(config(faces, tmp_path, kind), StopAfter(**stop))
    number = stop.get('number', signal.SIGTERM)
    assert exit.value.code == (137 if number is None else 128 + number)
    assert number is None or signal.getsignal(number) == handlers[number]

    cfg = config(faces, tmp_path, kind)
    cfg.load_from, cfg.resume = find_latest(tmp_path), True
    if number is not None:
        assert Path(cfg.load_from).name == 'interrupted.pth'
        expected = stop.get('step', STEPS * stop.get('validation', 0))
        stopped = state(tmp_path, 'interrupted.pth')
        assert stopped['meta']['iter'] == expected
        # A validation is not completed first.
        validated = stopped['message_hub']['runtime_info'].get('last_validated_epoch', 0)
        assert validated == (expected - 1) // STEPS
    train(cfg)

    names = sorted(path.name for path in Path(whole).glob('*.pth'))
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == names
    assert any(name.startswith('best_') for name in names)
    for name in names:
        assert_same(state(whole, name), state(tmp_path, name))
    assert Path((tmp_path / 'last_checkpoint').read_text()).name == f'epoch_{EPOCHS}.pth'


class Fail(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        raise OSError('of a step')


def test_a_run_that_fails_restores_the_handlers_of_signals(faces, tmp_path, handlers):
    with pytest.raises(OSError, match='of a step'):
        train(config(faces, tmp_path, 'plain'), Fail())
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_workers_of_a_loop_of_iterations_ignore_the_signals_of_others(faces, tmp_path):
    cfg = config(faces, tmp_path, 'plain')
    cfg.train_cfg = dict(by_epoch=False, max_iters=8)
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.train_dataloader.update(num_workers=1, sampler=dict(type='InfiniteSampler', shuffle=True))
    cfg.default_hooks.checkpoint.update(by_epoch=False, save_best=None)
    cfg.param_scheduler = None
    runner = build_runner(cfg)
    # Workers of other tests may still be there.
    others = {*multiprocessing.active_children()}
    # Its worker has started then.
    next(runner.train_loop.dataloader_iterator)
    [worker] = {*multiprocessing.active_children()} - others
    subprocess.run(['kill', '-TERM', str(worker.pid)], check=True)
    runner.train()
    assert runner.iter == 8


def test_trains_in_another_thread(uninterrupted, faces, tmp_path):
    kind, whole = uninterrupted
    thread = threading.Thread(target=train, args=(config(faces, tmp_path, kind),))
    thread.start()
    thread.join()
    name = f'epoch_{EPOCHS}.pth'
    assert_same(state(whole, name), state(tmp_path, name))


def test_a_sampler_that_cannot_leave_out_what_was_seen_is_refused(faces, tmp_path):
    with pytest.raises(SystemExit):
        train(config(faces, tmp_path, 'plain'), StopAfter(step=3))
    cfg = config(faces, tmp_path, 'plain')
    cfg.train_dataloader.sampler.type = 'DefaultSampler'
    cfg.load_from, cfg.resume = find_latest(tmp_path), True
    with pytest.raises(ConfigError, match='write sampler='):
        train(cfg)


def test_an_older_checkpoint_is_not_validated_again(faces, tmp_path):
    with pytest.raises(SystemExit):
        train(config(faces, tmp_path, 'plain'), StopAfter(validation=1))
    checkpoint = state(tmp_path, 'interrupted.pth')
    info = checkpoint['message_hub']['runtime_info']
    info['validated_epoch'] = info.pop('last_validated_epoch')
    checkpoint['message_hub']['resumed_keys']['validated_epoch'] = True
    torch.save(checkpoint, tmp_path / 'old.pth')
    cfg = config(faces, tmp_path, 'plain')
    cfg.load_from, cfg.resume = str(tmp_path / 'old.pth'), True
    runner = train(cfg)
    assert len(runner.message_hub.get_scalar('val/attr/mean_accuracy').data[0]) == EPOCHS
    assert 'validated_epoch' not in runner.message_hub.runtime_info


@pytest.mark.parametrize('stop', [dict(step=2 * STEPS + 3), dict(validation=3)], ids=str)
def test_early_stopping_counts_the_validations_before(faces, tmp_path, stop):
    """Of a metric that can never improve enough: the first validation is the best, the third the last."""
    cfg = config(faces, tmp_path, 'plain')
    cfg.train_cfg.max_epochs = 6
    cfg.custom_hooks = [dict(type='EarlyStoppingHook', monitor='attr/mAP', min_delta=100, patience=2)]
    with pytest.raises(SystemExit):
        train(copy.deepcopy(cfg), StopAfter(**stop))
    cfg.load_from, cfg.resume = find_latest(tmp_path), True
    assert train(cfg).epoch == 3


def test_another_batch_size_begins_the_epoch_anew(faces, tmp_path, caplog):
    with pytest.raises(SystemExit):
        train(config(faces, tmp_path, 'plain'), StopAfter(step=3))
    cfg = config(faces, tmp_path, 'plain')
    cfg.train_dataloader.batch_size = 16
    cfg.load_from, cfg.resume = find_latest(tmp_path), True
    runner = train(cfg)
    steps = len(runner.train_dataloader)
    assert runner.iter == 3 + EPOCHS * steps
    # What was resumed is resumed again, and once more with the first batch size: epochs are whole.
    done = runner.iter
    for batch_size, more in ((16, steps), (8, STEPS), (8, STEPS)):
        cfg.train_dataloader.batch_size = batch_size
        cfg.train_cfg.max_epochs += 1
        cfg.load_from = find_latest(tmp_path)
        runner = train(cfg)
        done += more
        assert runner.iter == done


def test_another_batch_size_while_gradients_accumulate(faces, tmp_path):
    """The last steps of the run, of its new number, are a smaller sum."""
    cfg = config(faces, tmp_path, 'plain')
    cfg.optim_wrapper.accumulative_counts = 7
    with pytest.raises(SystemExit):
        train(copy.deepcopy(cfg), StopAfter(step=3))
    cfg.train_dataloader.batch_size = 16
    cfg.load_from, cfg.resume = find_latest(tmp_path), True
    runner = train(cfg)
    # The last step is an update.
    assert runner.iter == 3 + EPOCHS * 4 and runner.optim_wrapper.should_update()
    assert all(parameter.grad is None for parameter in runner.model.parameters())


def test_the_order_of_images_is_that_of_the_checkpoint(faces, tmp_path):
    with pytest.raises(SystemExit):
        train(config(faces, tmp_path, 'plain'), StopAfter(step=3))
    cfg = config(faces, tmp_path, 'plain')
    cfg.randomness = dict(seed=5)
    cfg.load_from, cfg.resume = find_latest(tmp_path), True
    seed = state(tmp_path, 'interrupted.pth')['message_hub']['runtime_info']['sampler_seed']
    runner = train(cfg)
    assert runner.train_dataloader.sampler.seed == seed != 5


class KeepTested(Hook):
    """Keeps the weights that each test began with."""

    def __init__(self):
        self.weights = []

    def before_test_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 0:
            self.weights.append({name: value.detach().clone() for name, value in runner.model.named_parameters()})


@pytest.mark.parametrize(
    'save_best, options, expected',
    [
        (None, {}, ['state_dict']),
        ('attr/mean_accuracy', {}, ['state_dict']),
        (['attr/mAP', 'attr/mean_accuracy'], {}, ['state_dict']),
        # Where the averages are in state_dict, the weights themselves are in ema_state_dict.
        (None, dict(evaluate_on_ema=False, evaluate_on_origin=True), ['ema_state_dict']),
        ('attr/mean_accuracy', dict(evaluate_on_origin=True), ['state_dict', 'ema_state_dict']),
    ],
)
def test_averages_are_tested(faces, tmp_path, save_best, options, expected):
    cfg = config(faces, tmp_path, 'plain')
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1, **options))
    cfg.default_hooks.checkpoint.save_best = save_best
    for key in ('dataloader', 'evaluator', 'cfg'):
        cfg[f'test_{key}'] = cfg[f'val_{key}']
    for cfg.resume in (False, True):
        cfg.train_cfg.max_epochs = EPOCHS + cfg.resume
        cfg.load_from = find_latest(tmp_path)
        runner, tested = build_runner(cfg), KeepTested()
        runner.register_hook(tested)
        train_and_test(runner)
        key = f'best_ckpt_{save_best[0]}' if isinstance(save_best, list) else 'best_ckpt'
        best = runner.message_hub.runtime_info.get(key)
        assert bool(best) == bool(save_best)
        checkpoint = torch.load(best or find_latest(tmp_path))
        for key, weights in zip(expected, tested.weights, strict=True):
            prefix = 'module.' * (key == 'ema_state_dict')
            for name, value in weights.items():
                assert torch.equal(value, checkpoint[key][prefix + name]), name


@pytest.mark.parametrize(
    'options, batch',
    [
        (dict(evaluate_on_ema=False, evaluate_on_origin=True), 1),
        (dict(evaluate_on_origin=True), 1),
        (dict(evaluate_on_origin=True), 5),
    ],
    ids=['weights', 'averages', 'second_pass'],
)
def test_a_validation_of_weights_beside_averages_may_be_stopped(faces, tmp_path, options, batch):
    def make(folder):
        cfg = config(faces, tmp_path / folder, 'plain')
        cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1, **options))
        # Four batches.
        cfg.val_dataloader.batch_size = 2
        return cfg

    train(make('whole'))
    with pytest.raises(SystemExit):
        train(make('stopped'), StopAfter(validation=1, batch=batch))
    cfg = make('stopped')
    cfg.load_from, cfg.resume = find_latest(tmp_path / 'stopped'), True
    assert Path(cfg.load_from).name == 'interrupted.pth'
    train(cfg)
    name = f'epoch_{EPOCHS}.pth'
    assert_same(state(tmp_path / 'whole', name), state(tmp_path / 'stopped', name))


def test_a_loop_of_iterations_completes_its_validation_first(faces, tmp_path):
    cfg = config(faces, tmp_path, 'plain')
    cfg.train_cfg = dict(by_epoch=False, max_iters=8, val_interval=4)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.default_hooks.checkpoint.update(by_epoch=False, save_best=None)
    cfg.param_scheduler = None
    cfg.val_dataloader.batch_size = 2

    class Stop(StopAfter):
        def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 4 and batch_idx == 0:
                self.stop()

    with pytest.raises(SystemExit):
        train(cfg, Stop())
    scalars = state(tmp_path, 'interrupted.pth')['message_hub']['log_scalars']
    assert len(scalars['val/attr/mean_accuracy'].data[0]) == 1
