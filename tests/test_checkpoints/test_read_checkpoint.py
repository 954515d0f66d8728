import resource

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS

from imcnn_plugin.checkpoints import load_model
from imcnn_plugin.checkpoints.read_checkpoint import _is_registered, read_checkpoint, save_checkpoint
from imcnn_plugin.errors import ConfigError, DataError


class Hostile:
    def __reduce__(self):
        return print, ('ran',)


@pytest.mark.parametrize(
    'contents, message',
    [
        (dict(state_dict={}), 'has no meta and state_dict'),
        (dict(meta={}, state_dict={}), "has no config in meta\\['cfg'\\]"),
        (dict(meta=dict(cfg='a = 1'), state_dict={}, other=Hostile()), 'holds more than weights'),
        (dict(meta=dict(cfg="a = dict(type='os.system')"), state_dict={}), "type 'os.system' .* do not trust it"),
        (dict(meta=dict(cfg="a = [dict(b=(dict(type='builtins.exec'),))]"), state_dict={}), "type 'builtins.exec'"),
        (dict(meta=dict(cfg="import os\nos.system('')"), state_dict={}), 'the config in it cannot be read'),
    ],
)
def test_refuses_what_is_no_checkpoint(contents, message, tmp_path, capfd):
    torch.save(contents, tmp_path / 'a.pth')
    with pytest.raises(DataError, match=message) as error:
        read_checkpoint(tmp_path / 'a.pth')
    assert str(tmp_path / 'a.pth') in str(error.value) and '\n' not in str(error.value)
    assert 'ran' not in capfd.readouterr().out


def test_reads_the_format_before_torch_1_6_in_which_mmpretrain_publishes(tmp_path, best):
    content = torch.load(best, weights_only=True)
    torch.save(content, tmp_path / 'a.pth', _use_new_zipfile_serialization=False)
    found = read_checkpoint(tmp_path / 'a.pth')
    assert all(torch.equal(found.state_dict[name], value) for name, value in content['state_dict'].items())


def test_names_a_module_that_is_missing(tmp_path):
    torch.save(dict(meta=dict(cfg="custom_imports = dict(imports=['no_such'])"), state_dict={}), tmp_path / 'a.pth')
    with pytest.raises(ConfigError, match='a.pth needs a module that is missing .*no_such'):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'contents, message',
    [
        (None, 'No such file'),
        (b'', 'neither a zip archive nor a pickle'),
        (b'text', 'neither a zip archive nor a pickle'),
        # The start of an ONNX file.
        (b'\x08\x0d\x12\x07pytorch', 'neither a zip archive nor a pickle'),
        (b'\x80\x02}q\x00.', 'is not a torch checkpoint'),
    ],
)
def test_refuses_what_is_no_file_of_torch(contents, message, tmp_path):
    if contents is not None:
        (tmp_path / 'a.pth').write_bytes(contents)
    with pytest.raises(DataError, match=message):
        read_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize(
    'name, expected',
    [
        ('ResNet', True),
        ('mmpretrain.JointHead', True),
        ('mmengine.DefaultSampler', True),
        ('mmengine.load', False),
        ('mmpretrain.models.ImageClassifier', True),
        ('imcnn_plugin.models.JointHead', True),
        ('torch.optim.SGD', True),
        # Neither the registered class nor an entry.
        ('mmpretrain.apis.ImageClassifier', False),
        ('no_such_module.ResNet', False),
        ('mmpretrain.models.builder.MODELS', False),
        ('torch.load', False),
        ('subprocess.run', False),
    ],
)
def test_only_names_in_registries_are_types(name, expected):
    assert _is_registered(name) == expected


def test_reads_the_config_that_imports_its_classes(tmp_path):
    # Of mmpretrain's newer configs.
    path = tmp_path / 'own.py'
    path.write_text(
        'from mmpretrain.models import GlobalAveragePooling, ImageClassifier, ResNet\n'
        'from imcnn_plugin.models import GroupedMultiLabelHead\n'
        "groups = [dict(name='form', labels=['round', 'red'])]\n"
        'head = dict(type=GroupedMultiLabelHead, classes=["round", "red"], groups=groups, in_channels=512)\n'
        'model = dict(type=ImageClassifier, backbone=dict(type=ResNet, depth=18),\n'
        '             neck=dict(type=GlobalAveragePooling), head=head)\n'
    )
    cfg = Config.fromfile(path)
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['round', 'red']))
    save_checkpoint(dict(meta=meta, state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'a.pth')
    assert load_model(tmp_path / 'a.pth').head.classes == ['round', 'red']


def test_a_file_can_replace_itself(best, tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(best.read_bytes())
    save_checkpoint(read_checkpoint(path).content, path)
    after = read_checkpoint(path)
    torch.testing.assert_close(after.state_dict, torch.load(best)['state_dict'], rtol=0, atol=0)
    assert [file.name for file in tmp_path.iterdir()] == ['a.pth']


def test_a_disk_that_is_full_leaves_the_old_file(best, tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'old')
    checkpoint = read_checkpoint(best).content
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (best.stat().st_size // 2, limits[1]))
    try:
        with pytest.raises(DataError, match='a.pth cannot be written \\(File too large\\)'):
            save_checkpoint(checkpoint, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b'old' and len(list(tmp_path.iterdir())) == 1
