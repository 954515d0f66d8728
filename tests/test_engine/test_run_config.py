"""The config of a runner: its text is mmengine's, and is formatted once for each content."""

import copy
import pickle
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config

from imcnn_plugin.engine import build_runner
from imcnn_plugin.engine.run_config import _RunConfig

CONFIG = Path(__file__).parents[2] / 'configs' / 'imcnn_celeba.py'


@pytest.fixture
def formatted(monkeypatch):
    """The texts that were formatted."""
    format_code, texts = mmengine_config.FormatCode, []

    def count(text, *arguments, **options):
        texts.append(text)
        return format_code(text, *arguments, **options)

    monkeypatch.setattr(mmengine_config, 'FormatCode', count)
    return texts


def test_a_run_formats_its_config_once(small_cfg, formatted):
    small_cfg.train_cfg.max_epochs = 2
    runner = build_runner(small_cfg)
    runner.train()
    assert len(list(Path(runner.work_dir).glob('epoch_*.pth'))) == 2
    assert len(formatted) == 1


def test_the_text_follows_the_content(formatted):
    plain = Config.fromfile(CONFIG)
    cfg = _RunConfig.copy_of(plain)
    assert cfg.pretty_text == cfg.pretty_text == copy.deepcopy(cfg).pretty_text == cfg.copy().pretty_text
    assert len(formatted) == 1 and cfg.pretty_text == plain.pretty_text and cfg.filename == plain.filename
    cfg.model.backbone.num_slices = 3
    assert 'num_slices=3' in cfg.pretty_text and 'num_slices=3' not in plain.pretty_text
    assert pickle.loads(pickle.dumps(cfg)).pretty_text == cfg.pretty_text
    assert 'formatted' not in cfg
