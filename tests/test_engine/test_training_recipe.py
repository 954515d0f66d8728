import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseDataPreprocessor
from mmpretrain.registry import MODELS

from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.errors import ConfigError
from imcnn_plugin.models import batch_field

MIXUP = dict(augments=[dict(type='Mixup', alpha=0.8)])
STOCK = dict(type='ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)
CUTMIX = dict(augments=[dict(type='CutMix', alpha=1.0)])


@MODELS.register_module()
class OwnPreprocessor(BaseDataPreprocessor):
    def __init__(self, batch_augments=None):
        super().__init__()


class Recorder(Hook):
    """By epoch, the targets of all steps, and whether the images that were read are gray."""

    priority = 'LOWEST'

    def __init__(self):
        self.targets, self.gray = {}, {}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        samples, images = data_batch['data_samples'], data_batch['inputs']
        targets = batch_field(samples, 'gt_score', 'cpu')
        self.targets.setdefault(runner.epoch + 1, []).append(targets)
        self.gray[runner.epoch + 1] = all((image == image[:1]).all() for image in images)


@pytest.fixture
def cfg(faces, best, tmp_path):
    """A tiny network without an identity head, on 56 images."""
    cfg = load_config(best, data_root=str(faces), work_dir=str(tmp_path))
    cfg.model.head.id_head = None
    for name in ('dataloader', 'evaluator', 'cfg'):
        cfg[f'val_{name}'] = cfg[f'test_{name}'] = None
    return cfg


def train(cfg, unknown=True):
    runner = build_runner(cfg)
    if unknown:
        # The first ten attributes of half of the images, and one of all.
        runner.train_loop.dataloader.dataset.data_list.gt_score[:28, :10] = -1
        runner.train_loop.dataloader.dataset.data_list.gt_score[:, 20] = -1
    recorder = Recorder()
    runner.register_hook(recorder)
    runner.train()
    return recorder


@pytest.mark.parametrize('stock', [True, False])
@pytest.mark.parametrize('augments', [MIXUP, CUTMIX], ids=['Mixup', 'CutMix'])
def test_training_with_mixed_images_and_unknown_labels(cfg, augments, stock):
    if stock:
        cfg.model.data_preprocessor = dict(STOCK)
        cfg.train_dataloader.collate_fn = dict(type='pseudo_collate')
        # It does not crop.
        cfg.train_dataloader.dataset.pipeline[1].scale = (64, 64)
    cfg.model.train_cfg, cfg.train_cfg.max_epochs = copy.deepcopy(augments), 1
    cfg.train_dataloader.num_workers = 0
    targets = torch.cat(train(cfg).targets[1])
    assert ((targets == -1) | (targets >= 0) & (targets <= 1)).all()
    assert ((targets > 0) & (targets < 1)).any()
    assert (targets[:, 20] == -1).all() and (targets[:, :10] == -1).all(1).any()


def test_a_recipe_is_switched_with_workers_that_live_on(cfg):
    pipeline = copy.deepcopy(cfg.train_dataloader.dataset.pipeline)
    pipeline.insert(1, dict(type='mmcv.RandomGrayscale', prob=1.0))
    loss = dict(type='JointLoss', id_weight=0.5)
    recipe = dict(action_epoch=2, batch_augments=copy.deepcopy(MIXUP), train_pipeline=pipeline, loss=loss)
    cfg.custom_hooks = [dict(type='SwitchRecipeHook', schedule=[recipe])]
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.train_cfg.max_epochs = 2
    found = train(cfg)
    targets = {epoch: torch.cat(found.targets[epoch]) for epoch in (1, 2)}
    assert found.gray == {1: False, 2: True}
    assert set(targets[1].unique().tolist()) == {-1, 0, 1}
    assert ((targets[2] > 0) & (targets[2] < 1)).any() and (targets[2][:, 20] == -1).all()


@pytest.mark.parametrize(
    'recipe, message',
    [
        (
            dict(batch_augments=MIXUP),
            'batch_augments has no effect with OwnPreprocessor: use FacePreprocessor',
        ),
        (dict(loss=dict(type='AsymmetricLoss')), 'loss replaces the JointLoss of model.head'),
        (dict(train_augments=None), r"\['train_augments'\] has no effect: write train_pipeline, batch_augments, loss"),
    ],
)
def test_recipes_that_would_change_nothing_are_refused(cfg, recipe, message):
    if 'batch_augments' in recipe:
        cfg.model.data_preprocessor = dict(type='OwnPreprocessor')
    cfg.custom_hooks = [dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=9, **copy.deepcopy(recipe))])]
    with pytest.raises(ConfigError, match=f'SwitchRecipeHook, action_epoch=9: {message}'):
        train(cfg)


def test_a_pack_runs_no_pipeline(cfg, faces, tmp_path):
    pack = write_pack(faces, tmp_path / 'pack', size=72, jobs=1)
    pipeline = copy.deepcopy(cfg.train_dataloader.dataset.pipeline)
    cfg.train_dataloader.dataset.update(type='PackedFaces', data_root=str(pack.path))
    cfg.train_dataloader.update(collate_fn=dict(type='packed_collate'), num_workers=0, persistent_workers=False)
    recipe = dict(action_epoch=9, train_pipeline=pipeline)
    cfg.custom_hooks = [dict(type='SwitchRecipeHook', schedule=[recipe])]
    with pytest.raises(ConfigError, match='train_pipeline has no effect: the images of a pack run none'):
        train(cfg, unknown=False)


def test_a_loss_of_one_label_is_refused(cfg):
    cfg.model.head = cfg.model.head.attr_head
    recipe = dict(action_epoch=9, loss=dict(type='CrossEntropyLoss'))
    cfg.custom_hooks = [dict(type='SwitchRecipeHook', schedule=[recipe])]
    with pytest.raises(ConfigError, match='SwitchRecipeHook, action_epoch=9: loss=CrossEntropyLoss is .* no multi'):
        train(cfg)


def test_mixed_images_have_no_identity(cfg, faces, best, tmp_path):
    cfg.model.head.id_head = load_config(best, data_root=str(faces), work_dir=str(tmp_path)).model.head.id_head
    cfg.model.train_cfg = copy.deepcopy(MIXUP)
    with pytest.raises(ConfigError, match='model.train_cfg: mixed images have no identity: remove the batch'):
        train(cfg)
    # Nor if the model learns nothing else.
    cfg.model.head = dict(cfg.model.head.id_head)
    with pytest.raises(ConfigError, match='mixed images have no identity: .* or the identity head'):
        train(cfg)


def test_unknown_labels_stay_unknown_in_configs_of_others(cfg):
    # They name none of our hooks.
    del cfg.default_hooks.data_model_check
    cfg.model.data_preprocessor = dict(STOCK)
    cfg.model.train_cfg, cfg.train_cfg.max_epochs = copy.deepcopy(MIXUP), 1
    cfg.train_dataloader.update(collate_fn=dict(type='pseudo_collate'), num_workers=0)
    cfg.train_dataloader.dataset.pipeline[1].scale = (64, 64)
    targets = torch.cat(train(cfg).targets[1])
    assert (targets[:, 20] == -1).all() and ((targets == -1) | (targets >= 0)).all()
