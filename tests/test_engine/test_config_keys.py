from pathlib import Path

import pytest

from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.engine.config_keys import _KEYS
from imcnn_plugin.errors import ConfigError

CONFIG = Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py'


def write(folder, text):
    (folder / 'mine.py').write_text(f'_base_ = {str(CONFIG)!r}\n{text}\n')
    return folder / 'mine.py'


@pytest.mark.parametrize(
    'text, section, meant',
    [
        ('train_dataloder = dict(batch_size=3)', 'a config', 'train_dataloader'),
        ('optim_wraper = dict()', 'a config', 'optim_wrapper'),
        ('default_hooks = dict(chekpoint=dict(type="RunCheckpointHook"))', 'default_hooks', 'checkpoint'),
        ('env_cfg = dict(cudnn_benchmrk=False)', 'env_cfg', 'cudnn_benchmark'),
        ('auto_scale_lr = dict(base_batch_siz=8)', 'auto_scale_lr', 'base_batch_size'),
        (
            'optim_wrapper = dict(paramwise_cfg=dict(bypas_duplicate=True))',
            'optim_wrapper.paramwise_cfg',
            'bypass_duplicate',
        ),
    ],
)
def test_a_typing_error_in_a_key_is_named(tmp_path, text, section, meant):
    with pytest.raises(ConfigError, match=rf"mine\.py: '\w+' is no key of {section}: did you mean '{meant}'\?$"):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize(
    'option, meant',
    [('train_dataloder.batch_size', 'train_dataloader'), ('data_rot', 'data_root'), ('my_fulders', 'my_folders')],
)
def test_a_typing_error_in_an_option_is_named(tmp_path, option, meant):
    with pytest.raises(ConfigError, match=rf"^--cfg-options \w+: .*mine\.py has no such key: did you mean '{meant}'"):
        load_config(write(tmp_path, 'my_folders = 3'), cfg_options={option: 3})


def test_a_config_may_have_variables_and_hooks_of_its_own(tmp_path):
    text = "train_pipeline = test_pipeline = []\nbase_lr = 1\ndefault_hooks = dict(checkpoint2=dict(type='EMAHook'))"
    cfg = load_config(write(tmp_path, text), cfg_options={'base_lr': 2, 'auto_scale_lr.enable': True})
    assert cfg.base_lr == 2 and cfg.default_hooks.checkpoint2.type == 'EMAHook'
    assert set(load_config(CONFIG).default_hooks) <= set(_KEYS['default_hooks'])


@pytest.mark.parametrize(
    'text, message',
    [
        ('load_from = 5', 'load_from is 5, expected the file of a checkpoint'),
        (
            'train_dataloader = dict(num_workers=1.5)',
            r'train_dataloader\.num_workers is 1\.5, expected an integer',
        ),
        ('default_hooks = dict(checkpoint=dict(max_keep_ckpt=3))', "RunCheckpointHook has no option 'max_keep_ckpt'"),
        ('train_cfg = dict(val_interval=0)', 'val_interval is 0'),
        ("custom_hooks = [dict(type='EMAHook', momentm=0.1)]", "unexpected keyword argument 'momentm'"),
        ("custom_hooks = [dict(type='EMAHook', momentum=2)]", 'a component cannot be built .*momentum must be'),
    ],
)
def test_a_wrong_value_is_found_before_the_first_step(tmp_path, faces, text, message):
    options = {
        'model.backbone.width': 0.0625,
        'model.head.attr_head.in_channels': 192,
        'model.head.attr_head.hidden_dims': (8, 8),
        'model.head.id_head.in_channels': 192,
        'model.head.id_head.embedding_dims': 8,
        'val_dataloader.num_workers': 0,
        **({} if 'num_workers' in text else {'train_dataloader.num_workers': 0}),
    }
    with pytest.raises(ConfigError, match=message):
        runner = build_runner(load_config(write(tmp_path, text), str(faces), str(tmp_path / 'work'), options))
        runner.train()
    assert not list(tmp_path.glob('work/*.pth'))
