from types import SimpleNamespace

import pytest
import torch
from torch import nn

from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.engine.data_model_check_hook import _check_identities, _match_classes
from imcnn_plugin.errors import ConfigError, DataError


def fit(metainfo, **attributes):
    model = nn.Sequential()
    model.head = nn.Linear(1, 1)
    for name, value in attributes.items():
        setattr(model.head, name, value)
    _match_classes(model, SimpleNamespace(metainfo=metainfo))
    _check_identities(model, metainfo)


def test_what_fits_passes():
    fit(dict(classes=('a', 'b'), num_identities=5), classes=['a', 'b'], num_identities=5)
    # Another project's dataset need not say either.
    fit({}, classes=['a', 'b'], num_identities=5)


def test_classes_in_another_order_are_refused():
    with pytest.raises(ConfigError, match=r"model.head.classes .* write classes=\['a', 'b'\]"):
        fit(dict(classes=('a', 'b')), classes=['b', 'a'])


def test_another_number_of_identities_is_refused():
    with pytest.raises(ConfigError, match='--cfg-options model.head.num_identities=5'):
        fit(dict(num_identities=5), num_identities=8192)


@pytest.fixture
def cfg(faces, best, tmp_path):
    """A tiny network's training on 56 images."""
    cfg = load_config(best, data_root=str(faces), work_dir=str(tmp_path))
    cfg.train_dataloader.num_workers = 0
    return cfg


@pytest.mark.parametrize(
    'loader, options, message',
    [
        (
            'train',
            dict(batch_size=64, drop_last=True),
            '56 training images in 1 processes give no batch of 64: reduce',
        ),
        ('train', dict(sampler=dict(type='InfiniteSampler')), 'an epoch of .* InfiniteSampler never ends'),
        ('val', dict(batch_size=3, drop_last=True), 'val_dataloader.drop_last=True leaves out the last images'),
        ('test', dict(batch_size=3, drop_last=True), 'test_dataloader.drop_last=True leaves out the last images'),
    ],
)
def test_loops_that_would_do_nothing_or_never_end(cfg, loader, options, message):
    cfg[f'{loader}_dataloader'].update(options)
    runner = build_runner(cfg)
    with pytest.raises(ConfigError, match=message):
        getattr(runner, loader)()


def test_a_whole_number_of_batches_may_drop_the_last(cfg):
    cfg.val_dataloader.update(batch_size=4, drop_last=True)
    assert 'attr/mean_accuracy' in build_runner(cfg).val()


@pytest.mark.parametrize('weights', [dict(), dict(other=torch.zeros(3)), 'shapes'])
def test_a_checkpoint_without_one_fitting_weight_is_refused(cfg, weights, best, tmp_path):
    if weights == 'shapes':
        weights = {name: value.new_zeros(7, 7, 7) for name, value in torch.load(best)['state_dict'].items()}
    torch.save(dict(state_dict=weights), tmp_path / 'a.pth')
    cfg.load_from = str(tmp_path / 'a.pth')
    with pytest.raises(DataError, match='a.pth: none of its weights fits the model by name and shape'):
        build_runner(cfg).train()


def test_one_fitting_weight_is_enough(cfg, best, tmp_path):
    name, value = next(iter(torch.load(best)['state_dict'].items()))
    torch.save(dict(state_dict={f'module.{name}': value + 1}), tmp_path / 'a.pth')
    cfg.load_from, cfg.train_cfg.max_epochs = str(tmp_path / 'a.pth'), 1
    build_runner(cfg).train()
