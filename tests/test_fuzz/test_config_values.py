"""Configs: what is built is what the values say, or the key or file is named; a checkpoint's config is never run."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.hooks import Hook

from imcnn_plugin.checkpoints.config_text import parse_config
from imcnn_plugin.engine import build_runner, load_config, train_and_test
from imcnn_plugin.errors import IMCNNError

FUZZ = settings.get_profile('fuzz')
TIMES = FUZZ.max_examples
CONFIG = Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py'
TEXT = Config.fromfile(CONFIG).pretty_text


@settings(FUZZ, max_examples=50 * TIMES)
@given(data=st.data())
def test_text_of_a_config_in_a_checkpoint(mutate, attempt, data):
    text = mutate(data, TEXT.encode()).decode(errors='replace')
    cfg = attempt('a.pth', parse_config, text, 'a.pth')
    if cfg is not None:
        # What is accepted has literals alone, so Python may say what they are.
        values = {}
        exec(compile(text, 'config', 'exec'), {'__builtins__': dict(dict=dict)}, values)
        assert repr(cfg._cfg_dict.to_dict()) == repr(values)


@pytest.mark.parametrize(
    'text',
    [
        'filename = 1',
        'a = dict(**{1: 2})',
        'a = {**{}}',
        'a = {[]: 1}',
        'a = dict(1)',
        'a = ' + '9' * 5000,
        'a = "\0"',
    ],
)
def test_odd_text_of_a_config_in_a_checkpoint(attempt, text):
    attempt('a.pth', parse_config, text, 'a.pth')


@settings(FUZZ, max_examples=20 * TIMES)
@given(
    nested=st.sampled_from(['[', 'dict(a=', '(', '-', '{1:']), depth=st.sampled_from([1, 50, 90, 300, 3000, 100_000])
)
def test_nested_text_of_a_config_in_a_checkpoint(attempt, nested, depth):
    end = {'[': ']', 'dict(a=': ')', '(': ')', '-': '', '{1:': '}'}[nested]
    attempt('a.pth', parse_config, f'a = {nested * depth}1{end * depth}', 'a.pth')


@settings(FUZZ, max_examples=10 * TIMES)
@given(data=st.data())
def test_text_of_a_config_file(tmp_path_factory, mutate, attempt, data):
    path = tmp_path_factory.getbasetemp() / 'changed.py'
    path.write_bytes(mutate(data, TEXT.encode()))
    cfg = attempt(path, load_config, path)
    # One without a model may be the base of another.
    assert cfg is None or (isinstance(cfg.get('model', {}), dict) and cfg.filename == str(path))


RIGHT = {
    'model.head.loss.id_weight': (0, 1, 0.3),
    'model.head.attr_head.dropout': (0, 0.5),
    'model.head.id_head': (None,),
    'model.backbone.width': (1 / 16,),
    'train_dataloader.batch_size': (1, 5),
    'train_cfg.max_epochs': (1, 3),
    'optim_wrapper.optimizer.lr': (0.1, 0),
    'train_dataloader.dataset.min_images_per_identity': (0, 1),
}
WRONG = {
    'model.head.loss.id_weight': ('one', [1], {}),
    'model.head.attr_head.dropout': (-0.1, 1.5, 'a'),
    'model.head.attr_head.hidden_dims': (5, (-1,), ('a',)),
    'model.head.attr_head.in_channels': (100, 0, -1, 'a', 1.5),
    'model.head.attr_head.num_slices': (5, 0, -6, 'a'),
    'model.head.attr_head.classes': (['Male'], [], 'Male', 5),
    'model.head.attr_head.groups': (
        [],
        5,
        'Male',
        [dict(name='a', labels=['Male'])],
        [dict(name='a', labels=['No'])],
        [dict(name='a')],
        [dict(labels=['Male'])],
        [dict(name='a', labels=['Male', 'Male'])],
        ['Male'],
    ),
    'model.head.attr_head.type': ('No', 5, '', 'os.system'),
    'model.head.attr_head.no_such_option': (1,),
    'model.head.id_head.num_identities': (13, 15, 0, -1, 'a'),
    'model.backbone.width': ('a', -1),
    'model.backbone.depth': (5,),
    'model': (None, 5, 'IMCNN', []),
    'train_dataloader': (5, 'a', []),
    'train_dataloader.dataset': (None, 5),
    'train_dataloader.dataset.type': ('No', 5),
    'train_dataloader.dataset.data_root': (None, 5, '/no/such/folder', ''),
    'train_dataloader.dataset.split': ('no', None, 5, []),
    'train_dataloader.dataset.protocol': ('no', None, 5),
    'train_dataloader.dataset.pipeline': (5, [5], [dict()], [dict(type='No')], [dict(type='Resize')]),
    'train_dataloader.batch_size': (0, -1, 'a', 1.5, None),
    'train_dataloader.num_workers': (-1, 'a'),
    'train_dataloader.sampler.type': ('No',),
    'train_cfg.max_epochs': ('a', 1.5),
    'optim_wrapper.optimizer.lr': (-1, 'a', [1]),
    'optim_wrapper.optimizer.type': ('No', 5),
    'param_scheduler.type': ('No', 5),
    'val_evaluator.type': ('No', 5),
    'default_hooks.speed.type': ('No',),
    'custom_hooks.99.type': ('No',),
    'default_hooks.logger.type': ('No',),
}


@pytest.fixture(scope='module')
def options(faces, tmp_path_factory):
    """The arguments of ``load_config`` for a tiny network on drawn faces, of whose 20 people 14 are trained on."""
    tiny = {
        'model.backbone.width': 1 / 16,
        'model.head.attr_head.in_channels': 192,
        'model.head.attr_head.hidden_dims': (4,),
        'model.head.id_head.in_channels': 192,
        'model.head.id_head.embedding_dims': 4,
        'model.head.id_head.num_identities': 14,
        'train_dataloader.num_workers': 0,
        'train_dataloader.dataset.indices': 2,
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
        'test_dataloader': None,
        'test_cfg': None,
        'test_evaluator': None,
        'log_level': 'ERROR',
    }
    work_dir = tmp_path_factory.mktemp('work')
    return dict(path=CONFIG, data_root=str(faces), work_dir=str(work_dir)), tiny


class Started(Exception):
    """Training would begin now."""


class StartHook(Hook):
    def before_train_epoch(self, runner):
        raise Started


def start(arguments, options):
    """Everything up to the first step."""
    runner = build_runner(load_config(**arguments, cfg_options=options))
    runner.register_hook(StartHook())
    with pytest.raises(Started):
        train_and_test(runner)
    return runner


@settings(FUZZ, max_examples=2 * TIMES)
@given(data=st.data())
def test_right_values_are_used(options, data):
    arguments, tiny = options
    key = data.draw(st.sampled_from(sorted(RIGHT)))
    value = data.draw(st.sampled_from(RIGHT[key]))
    runner = start(arguments, {**tiny, key: value})
    place = runner.cfg
    for name in key.split('.'):
        place = place[name]
    assert place == value


@settings(FUZZ, max_examples=12 * TIMES)
@given(data=st.data())
def test_wrong_values_are_refused(options, data):
    arguments, tiny = options
    key = data.draw(st.sampled_from(sorted(WRONG)))
    value = data.draw(st.sampled_from(WRONG[key]))
    with pytest.raises(IMCNNError) as error:
        start(arguments, {**tiny, key: value})
    assert '\n' not in str(error.value) and len(str(error.value)) < 1500, error.value
