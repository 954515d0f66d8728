"""The configs that start from mmpretrain's weights; here from none, or from a file that stands in for the download."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.apis import ModelHub
from mmpretrain.registry import DATASETS, MODELS

REPOSITORY = Path(__file__).resolve().parents[1]
# Config, and the model of mmpretrain whose weights it takes.
SOURCES = dict(resnet50_celeba='resnet50_8xb32_in1k', vit_celeba='deit-small_4xb256_in1k')


@pytest.fixture(params=SOURCES)
def name(request):
    return request.param


def load(name):
    return Config.fromfile(REPOSITORY / 'configs' / f'{name}.py')


def build(model):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(model)


def test_backbone_and_input_are_those_of_the_weights(name):
    cfg, source = load(name), ModelHub.get(SOURCES[name])
    backbone = cfg.model.backbone
    init_cfg = backbone.pop('init_cfg')
    assert (init_cfg.type, init_cfg.prefix) == ('Pretrained', 'backbone')
    # The forks keep the same files on another host.
    ours, theirs = (url.rpartition('/mmclassification/')[2] for url in (init_cfg.checkpoint, source.weights))
    assert ours == theirs
    assert backbone.to_dict() == source.config.model.backbone.to_dict()
    ours, theirs = cfg.model.data_preprocessor, source.config.data_preprocessor
    assert (list(ours.mean), list(ours.std)) == (theirs.mean, theirs.std) and theirs.to_rgb


def test_takes_steps_on_drawn_faces_without_the_weights(name, monkeypatch, faces):
    """With what --cfg-options model.backbone.init_cfg=None leaves, on fewer pixels."""
    monkeypatch.setenv('CELEBA_ROOT', str(faces))
    cfg = load(name)
    cfg.merge_from_dict({'model.backbone.init_cfg': None})
    dataset = cfg.train_dataloader.dataset
    assert dataset.pipeline[1].scale == (224, 224)
    dataset.update(indices=8)
    dataset.pipeline[1].scale = (64, 64)
    if 'img_size' in cfg.model.backbone:
        cfg.model.backbone.img_size = 64
    model = build(cfg.model)
    model.init_weights()
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        batch = default_collate(list(DATASETS.build(dataset)))
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    losses = [model.train_step(batch, optim_wrapper)['loss_attr'].item() for _ in range(3)]
    assert 25 < losses[0] < 40 and losses[2] < losses[0]
    [sample, *_] = model.val_step(batch)
    assert sample.pred_score.shape == (40,)


def test_starts_from_the_weights_of_a_checkpoint(name, tmp_path):
    cfg = load(name)
    small = dict(depth=18) if name == 'resnet50_celeba' else dict(arch='deit-tiny')
    cfg.model.backbone.update(small)
    source = build({**cfg.model.backbone, 'init_cfg': None})
    for parameter in source.parameters():
        parameter.data.normal_()
    weights = {f'backbone.{key}': value for key, value in source.state_dict().items()}
    torch.save(dict(state_dict={**weights, 'head.fc.bias': torch.zeros(1000)}), tmp_path / 'weights.pth')
    cfg.model.backbone.init_cfg.checkpoint = str(tmp_path / 'weights.pth')
    cfg.model.head.attr_head.in_channels = 512 if 'depth' in small else 192
    model = build(cfg.model)
    model.init_weights()
    for key, value in source.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[key], value), key
