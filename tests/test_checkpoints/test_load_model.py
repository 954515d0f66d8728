from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpretrain.registry import MODELS
from torch import nn

from imcnn_plugin.apis import FaceAttributeInferencer, prepare_batch
from imcnn_plugin.checkpoints.config_text import parse_config
from imcnn_plugin.checkpoints.load_model import load_model
from imcnn_plugin.deployment import export_onnx
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.framework import checkpoint_loaders

CONFIGS = sorted((Path(__file__).parents[2] / 'configs').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_reads_the_text_of_every_config(path):
    cfg = Config.fromfile(path)
    assert parse_config(cfg.pretty_text, path)._cfg_dict.to_dict() == cfg._cfg_dict.to_dict()


def test_reads_keys_that_are_no_names():
    cfg = Config({'a': {'head.fc': dict(lr=-1e-3), 'b': (None, True, [1, 'x'])}, 'c': ()})
    assert parse_config(cfg.pretty_text, 'a.pth')._cfg_dict.to_dict() == cfg._cfg_dict.to_dict()


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        'a = list(b=1)',
        "a = __import__('os')",
        'a = dict(b=open("x"))',
        'a = [x for x in ()]',
        'a = b = 1',
        'a.b = 1',
        'a +',
    ],
)
def test_runs_nothing(text):
    with pytest.raises(DataError, match='x.pth: the config in it cannot be read') as error:
        parse_config(text, 'x.pth')
    assert '\n' not in str(error.value)


def test_loads_a_training_without_its_identity_branch(best):
    trained = load_model(best)
    model = trained.model
    stored = torch.load(best)['state_dict']
    assert model.head.id_head is None and any('id_head' in key for key in stored)
    for key, value in model.state_dict().items():
        assert torch.equal(value, stored[key]), key
    assert not model.training and trained.head is model.head.attr_head
    assert trained.cfg.model.head.id_head is None and trained.meta['epoch'] == 1


def change(path, tmp_path, **meta):
    checkpoint = torch.load(path)
    checkpoint['meta'].update(meta)
    torch.save(checkpoint, tmp_path / 'changed.pth')
    return checkpoint, tmp_path / 'changed.pth'


def test_refuses_weights_of_another_model(best, tmp_path):
    text = torch.load(best)['meta']['cfg']
    assert 'width=0.0625' in text
    _, path = change(best, tmp_path, cfg=text.replace('width=0.0625', 'width=0.125'))
    with pytest.raises(DataError, match='changed.pth: its weights are not those of the model in the config') as error:
        load_model(path)
    assert '\n' not in str(error.value)


def test_names_a_missing_module(best, tmp_path):
    text = torch.load(best)['meta']['cfg'].replace("'imcnn_plugin',", "'imcnn_plugin', 'no_such_module',")
    _, path = change(best, tmp_path, cfg=text)
    with pytest.raises(ConfigError, match='needs a module that is missing .*no_such_module'):
        load_model(path)


def test_refuses_a_model_without_attributes(best, tmp_path):
    text = torch.load(best)['meta']['cfg']
    cfg = parse_config(text, best)
    cfg.model.head = dict(type='LinearClsHead', num_classes=3, in_channels=192)
    _, path = change(best, tmp_path, cfg=cfg.pretty_text)
    with pytest.raises(DataError, match='its weights are not those of the model'):
        load_model(path)


@MODELS.register_module()
class LoadsAnother(nn.Module):
    """Loads weights as soon as it is built, as mmpretrain's MiniGPT4 does."""

    def __init__(self, path):
        super().__init__()
        load_checkpoint(self, path)


class Payload:
    def __init__(self, ran):
        self.ran = ran

    def __reduce__(self):
        return Path.touch, (self.ran,)


def test_refuses_a_hostile_file_that_its_config_loads(best, tmp_path, monkeypatch, stock_loaders):
    # Whatever mmengine's own loaders do then.
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    torch.save(dict(state_dict=Payload(tmp_path / 'ran')), tmp_path / 'hostile.pth')
    cfg = parse_config(torch.load(best)['meta']['cfg'], best)
    cfg.model.backbone = dict(type='LoadsAnother', path=str(tmp_path / 'hostile.pth'))
    _, path = change(best, tmp_path, cfg=cfg.pretty_text)
    before = checkpoint_loaders()
    with pytest.raises(DataError, match='changed.pth: .*hostile.pth holds more than .*: do not trust it'):
        load_model(path)
    assert not (tmp_path / 'ran').exists() and checkpoint_loaders() == before


def test_checksum_is_of_what_logits_depend_on(best):
    trained = load_model(best)
    model, before = trained.model, trained.checksum
    trained.head.thresholds.fill_(0.2)
    trained.head.temperature.fill_(2)
    assert replace(trained).checksum == before == load_model(best).checksum
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] += 1e-3
    assert replace(trained).checksum != before


@MODELS.register_module()
class LikeTIMMBackbone(nn.Module):
    """Takes timm's options; loading weights would be an error."""

    def __init__(self, model_name, pretrained=False, checkpoint_path=''):
        super().__init__()
        assert not pretrained and not checkpoint_path

    def forward(self, x):
        return (x.mean((2, 3)),)


def test_weights_of_timm_that_would_be_replaced_are_not_loaded(tmp_path):
    groups = [dict(name='form', labels=['round', 'red'])]
    head = dict(type='GroupedMultiLabelHead', classes=['round', 'red'], groups=groups, in_channels=3)
    model = dict(type='ImageClassifier', backbone=dict(type='LikeTIMMBackbone', model_name='net'), head=head)
    weights = MODELS.build(dict(model, type='mmpretrain.ImageClassifier')).state_dict()
    model['backbone'].update(pretrained=True, checkpoint_path='/nowhere/net.pth')
    cfg = Config(dict(model=model, default_scope='mmpretrain'))
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=weights), tmp_path / 'a.pth')
    assert load_model(tmp_path / 'a.pth').cfg.model.backbone.pretrained is False


def test_a_model_of_gray_images_predicts_photos(tmp_path):
    groups = [dict(name='form', labels=['round', 'red'])]
    head = dict(type='GroupedMultiLabelHead', classes=['round', 'red'], groups=groups, in_channels=120)
    steps = [
        dict(type='LoadImageFromFile', color_type='grayscale'),
        dict(type='Resize', scale=(32, 32)),
        dict(type='PackInputs'),
    ]
    model = dict(type='ImageClassifier', backbone=dict(type='LeNet5'), head=head)
    model['data_preprocessor'] = dict(type='ClsDataPreprocessor', mean=[127.5], std=[127.5], to_rgb=False)
    loader = dict(dataset=dict(type='AttributeCSV', ann_file='a.csv', pipeline=steps))
    cfg = Config(dict(model=model, default_scope='mmpretrain', test_dataloader=loader))
    weights = MODELS.build(dict(model, type='mmpretrain.ImageClassifier')).state_dict()
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['round', 'red']))
    torch.save(dict(meta=meta, state_dict=weights), tmp_path / 'a.pth')
    photo = np.random.default_rng(0).integers(0, 256, (218, 178, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), photo)
    [result] = FaceAttributeInferencer(tmp_path / 'a.pth', device='cpu', precision='fp32')(photo, aligned=True)
    found = [values['probability'] for values in result['faces'][0]['attributes'].values()]
    trained = load_model(tmp_path / 'a.pth')
    with torch.no_grad():
        [expected] = trained.model.test_step(prepare_batch(trained.cfg, [dict(img_path=str(tmp_path / 'a.png'))]))
    assert found == pytest.approx(expected.pred_score.tolist(), abs=1e-3)
    with pytest.raises(ConfigError, match='a.pth takes gray images: only models of color images can be exported'):
        export_onnx(tmp_path / 'a.pth', tmp_path / 'a.onnx')
