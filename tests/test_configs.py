from pathlib import Path

import pytest
import torch
from commands import set_num_identities
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, HOOKS, METRICS, MODELS
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from imcnn_plugin.attributes import ATTRIBUTES

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = sorted((REPOSITORY / 'configs').glob('*.py'))
# Drawn faces have CelebA's layout; test_lfwa.py builds LFWA's configs on files in LFWA's, test_pretrained_configs.py
# those whose weights are downloaded.
ON_CELEBA = [path for path in CONFIGS if not any(word in path.stem for word in ('lfwa', 'resnet50', 'vit', 'wild'))]

# Numbers of weights, from the layers' sizes in the paper's Table 2. Convolutions have no bias, batch normalization two
# numbers a channel.
TRUNK = 9 * (3 * 64 + 64 * 64 + 64 * 192 + 192 * 192 + 192 * 384) + 2 * (64 + 64 + 192 + 192 + 384)
CONV_ATTR = 6 * (9 * 384 * 512 + 2 * 512)
FULLY_CONNECTED = 9 * ((7 * 7 * 512 + 1) * 1024 + (1024 + 1) * 1024) + 40 * (1024 + 1)
IDENTITY = (7 * 7 * 3072 + 1) * 512 + (512 + 1) * 8192
WEIGHTS = dict(
    attr_net_celeba=TRUNK + CONV_ATTR + FULLY_CONNECTED,
    imcnn_celeba=TRUNK + CONV_ATTR + FULLY_CONNECTED + IDENTITY,
    mcnn_celeba=11546732,
    # The second stage adds a weight for each pair of attributes.
    mcnn_aux_celeba=11546732 + 40 * 40,
    id_net_celeba=TRUNK + CONV_ATTR + IDENTITY,
)


def load(path):
    return set_num_identities(Config.fromfile(path), Path(path).stem)


def build(cfg, device='meta'):
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.device(device):
        return MODELS.build(cfg.model)


@pytest.mark.parametrize('path', [path for path in CONFIGS if path.stem != 'imcnn_lfwa'], ids=lambda path: path.stem)
def test_every_weight_that_is_trained_has_a_gradient(path):
    """So that no config needs find_unused_parameters in several processes."""
    cfg = load(path)
    device = 'cpu' if path.stem.startswith(('resnet', 'vit')) else 'meta'
    cfg.model.backbone.pop('init_cfg', None)
    model = build(cfg, device).train()
    scale = next(step.scale for step in cfg.train_dataloader.dataset.pipeline if step.type == 'Resize')
    side = cfg.model.data_preprocessor.get('crop_size') or scale[0]
    samples = DataSample(
        gt_score=torch.ones(2, len(ATTRIBUTES), device=device), gt_identity=torch.zeros(2, device=device).long()
    )
    losses = model(torch.zeros(2, 3, side, side, device=device), samples, mode='loss')
    sum(losses.values()).backward()
    trained = {name: p.grad is not None for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all(trained.values()), [name for name, has_gradient in trained.items() if not has_gradient]


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds(path, monkeypatch):
    """Full networks on the meta device, where 1.3 GB take no memory; mmpretrain's networks cannot be built there."""
    monkeypatch.setenv('CELEBA_ROOT', 'some/folder')
    monkeypatch.setenv('CELEBA_PACK', 'some/folder')
    monkeypatch.setenv('LFWA_ROOT', 'some/folder')
    monkeypatch.setenv('LFWA_PACK', 'some/folder')
    cfg = load(path)
    device = 'cpu' if path.stem.startswith(('resnet', 'vit')) else 'meta'
    model = build(cfg, device)
    if path.stem in WEIGHTS:
        assert sum(parameter.numel() for parameter in model.parameters()) == WEIGHTS[path.stem]
    for loader in filter(None, (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)):
        assert loader.dataset.data_root == 'some/folder'
        scale = next(step.scale for step in loader.dataset.pipeline if step.type == 'Resize')
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            DATASETS.build(dict(loader.dataset, lazy_init=True))
    side = cfg.model.data_preprocessor.get('crop_size') or scale[0]
    identities = cfg.model.head.get('num_identities')
    assert model(torch.zeros(2, 3, side, side, device=device)).shape == (2, identities or len(ATTRIBUTES))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        if cfg.test_evaluator:
            METRICS.build(cfg.test_evaluator)
        # A runner builds it before the hooks, one of which asks for it.
        UniversalVisualizer.get_instance('test')
        for hook in (*cfg.default_hooks.values(), *cfg.custom_hooks):
            HOOKS.build(hook)


@pytest.mark.parametrize('path', ON_CELEBA, ids=lambda path: path.stem)
def test_training_starts_near_the_loss_of_a_coin(path, monkeypatch, faces):
    """40 ln 2 = 27.7, on images as the config reads and prepares them."""
    monkeypatch.setenv('CELEBA_ROOT', str(faces))
    cfg = load(path)
    # A pack holds what the pipeline makes of the files.
    cfg.train_dataloader.dataset.update(type='CelebAIdentity', data_root=str(faces), indices=8)
    if 'num_train_identities' in cfg.train_dataloader.dataset:
        # More than these were not drawn.
        cfg.train_dataloader.dataset.num_train_identities = 10
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
        batch = default_collate(list(DATASETS.build(cfg.train_dataloader.dataset)))
    model.init_weights()
    batch = model.data_preprocessor(batch, training=True)
    losses = model(**batch, mode='loss')
    if cfg.model.head.type == 'JointHead':
        assert 25 < losses['loss_attr'] < 40
    has_identities = cfg.model.head.type == 'IdentityHead' or cfg.model.head.get('id_head') is not None
    assert ('loss_id' in losses) == has_identities


def test_numbers_of_weights_are_those_of_the_paper():
    assert WEIGHTS['imcnn_celeba'] == pytest.approx(333.7e6, rel=0.002)
    assert IDENTITY == pytest.approx(81.3e6, rel=0.002)
    assert WEIGHTS['mcnn_celeba'] < 15e6


def test_merged_feature_of_the_paper():
    model = build(load(REPOSITORY / 'configs' / 'imcnn_celeba.py'))
    [f] = model.extract_feat(torch.empty(2, 3, 112, 112, device='meta'))
    assert f.shape == (2, 3072, 7, 7)


def test_attr_net_is_imcnn_without_the_identity_branch():
    imcnn, attr_net = (Config.fromfile(REPOSITORY / 'configs' / f'{name}_celeba.py') for name in ('imcnn', 'attr_net'))
    assert imcnn.model.head.pop('id_head') and attr_net.model.head.pop('id_head') is None
    assert imcnn._cfg_dict == attr_net._cfg_dict


def test_paper_schedule():
    cfg = Config.fromfile(REPOSITORY / 'configs' / 'imcnn_celeba.py')
    assert (cfg.train_dataloader.batch_size, cfg.auto_scale_lr.base_batch_size) == (64, 64)
    assert (cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_epochs) == (0.001, 30)
    assert (cfg.param_scheduler.milestones, cfg.param_scheduler.gamma) == ([10, 20], 0.1)
    assert cfg.model.head.loss.id_weight == 1
    mcnn = Config.fromfile(REPOSITORY / 'configs' / 'mcnn_celeba.py')
    assert (mcnn.train_dataloader.batch_size, mcnn.train_cfg.max_epochs) == (100, 22)
