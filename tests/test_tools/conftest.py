import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmpretrain import get_model

from imcnn_plugin.apis import Album
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.checkpoints import load_model
from imcnn_plugin.engine import load_config

REPOSITORY = Path(__file__).parents[2]
TOOL = str(REPOSITORY / 'tools' / 'infer.py')


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory):
    """A model that has learned nothing, with thresholds so that labels differ."""
    path = tmp_path_factory.mktemp('model') / 'model.pth'
    cfg = load_config(REPOSITORY / 'configs' / 'imcnn_demo.py')
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16))
    cfg.model.head.id_head = None
    torch.manual_seed(0)
    model = get_model(cfg)
    model.init_weights()
    model.head.attr_head.thresholds.copy_(torch.linspace(0.2, 0.8, 40))
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=ATTRIBUTES))
    torch.save(dict(meta=meta, state_dict=model.state_dict()), path)
    return path


@pytest.fixture
def run(checkpoint, monkeypatch, capsys):
    def run(*arguments, checkpoint=checkpoint):
        """The exit status and what was printed."""
        monkeypatch.setattr(sys, 'argv', [TOOL, str(checkpoint), *map(str, arguments), '--device=cpu'])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(TOOL, run_name='__main__')
        said = capsys.readouterr()
        return stopped.value.code, said.out + said.err

    return run


@pytest.fixture
def album(checkpoint, tmp_path):
    """Everything lasts, and others count."""
    checksum = load_model(checkpoint).checksum
    theta = np.tile([0.2, 0.9, 0.4], (40, 1))
    Album(ATTRIBUTES, np.full(40, 0.9), np.full(40, 0.2), theta, checksum).save(tmp_path / 'album.json')
    return tmp_path / 'album.json'
