import traceback
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from imcnn_plugin.apis.predict_split import load_model
from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.errors import ConfigError, DataError, plain_errors

CONFIG = Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py'


@pytest.mark.parametrize(
    'text, message',
    [
        (None, 'FileNotFoundError'),
        ('model = dict(', 'SyntaxError'),
        ('model = no_such_name', 'NameError'),
        ("_base_ = './no_such_file.py'", 'no_such_file.py'),
        ('model = 5', 'model is 5, expected a dict'),
        ("model = dict(type='A')\ntrain_dataloader = [1]", r'train_dataloader is \[1\], expected a dict'),
        (
            "model = dict(type='A')\nval_dataloader = dict(batch_size=1)",
            r'val_dataloader\.dataset is None, expected a dict',
        ),
    ],
)
def test_a_config_that_is_none_is_named(tmp_path, text, message):
    path = tmp_path / 'mine.py'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        load_config(path)
    assert str(path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize(
    'key, value, message',
    [
        (
            'train_dataloader.batch_size',
            'many',
            'train_dataloader.batch_size is .many., but .* has 64 there: give a n',
        ),
        ('model.head.loss.id_weight', [1], r'id_weight is \[1\], but .* has 1.0 there: give a number'),
        ('custom_hooks.99.type', 'A', r"custom_hooks.99.type='A' cannot be set in .*imcnn_demo.py"),
        ('model.type.name', 'A', r"model.type.name='A' cannot be set in .*imcnn_demo.py"),
    ],
)
def test_an_option_that_cannot_be_set_is_named(key, value, message):
    with pytest.raises(ConfigError, match=message) as error:
        load_config(CONFIG, cfg_options={key: value})
    assert '\n' not in str(error.value)


def test_a_config_without_a_model_is_named(tmp_path):
    path = tmp_path / 'base.py'
    path.write_text('train_cfg = dict()')
    with pytest.raises(ConfigError, match='base.py has no model'):
        build_runner(load_config(path))


def test_options_are_set():
    cfg = load_config(CONFIG, cfg_options={'model.head.loss.id_weight': 0, 'custom_hooks.0.type': 'A', 'data_root': 5})
    assert cfg.model.head.loss.id_weight == 0 and cfg.custom_hooks[0].type == 'A'
    assert cfg.train_dataloader.dataset.data_root == '5'


def small(faces, work_dir, best, **head):
    """The config of the checkpoint ``best``, with its file to be loaded."""
    cfg = load_config(CONFIG, data_root=str(faces), work_dir=str(work_dir))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(dict(in_channels=192, hidden_dims=(16, 16)), **head)
    cfg.model.head.id_head = None
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.load_from = str(best)
    return cfg


def test_weights_of_another_model_are_not_tested(faces, best, tmp_path):
    build_runner(small(faces, tmp_path, best), strict=True).test()
    for head in (dict(hidden_dims=(16, 8)), dict(hidden_dims=(16,))):
        with pytest.raises(DataError, match='its weights are not those of the model in the config') as error:
            build_runner(small(faces, tmp_path, best, **head), strict=True).test()
        assert str(best) in str(error.value) and '\n' not in str(error.value)
        with pytest.raises(DataError, match='its weights are not those of the model in the config'):
            load_model(small(faces, tmp_path, best, **head), str(best))


def test_a_file_of_weights_alone_is_not_resumed(faces, best, tmp_path):
    torch.save(dict(state_dict=torch.load(best)['state_dict']), tmp_path / 'weights.pth')
    cfg = small(faces, tmp_path, tmp_path / 'weights.pth')
    cfg.resume = True
    with pytest.raises(DataError, match='does not say at which epoch and iteration it was written'):
        build_runner(cfg, strict=True).train()


def test_a_part_that_cannot_be_built_is_named(faces, best, tmp_path):
    cfg = small(faces, tmp_path, best, no_such_option=1)
    with pytest.raises(ConfigError, match=r"imcnn_demo\.py: a part .* built \(TypeError: .* 'no_such_option'"):
        build_runner(cfg)


class Failing(Dataset):
    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise self.error


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('error', [DataError('a.jpg: it is empty'), FileNotFoundError('a.jpg: it is empty')])
def test_an_error_in_a_worker_is_one_line(workers, error):
    with pytest.raises(DataError) as found:
        with plain_errors(load_config(CONFIG)):
            list(DataLoader(Failing(error), num_workers=workers))
    assert str(found.value) in ('a.jpg: it is empty', 'FileNotFoundError: a.jpg: it is empty')
    # Otherwise workers are left to the garbage collector, which takes seconds for each.
    for kept in filter(None, (found.value, found.value.__cause__)):
        traceback.clear_frames(kept.__traceback__)


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        with plain_errors(load_config(CONFIG)):
            list(DataLoader(Failing(ZeroDivisionError())))
