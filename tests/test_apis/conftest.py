from pathlib import Path

import pytest

from imcnn_plugin.apis import build_runner, load_config

CONFIG = Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py'


@pytest.fixture(scope='session')
def trained(faces, tmp_path_factory):
    """The work folder of a small IMCNN after one epoch on drawn faces, with averaged weights."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = load_config(CONFIG, data_root=str(faces), work_dir=str(folder))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16))
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    cfg.train_dataloader.batch_size = 8
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].update(num_workers=0, persistent_workers=False)
    cfg.train_cfg.max_epochs = 1
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    build_runner(cfg).train()
    return folder


@pytest.fixture(scope='session')
def best(trained):
    """The best checkpoint of :func:`trained`."""
    [path] = trained.glob('best_*.pth')
    return path
