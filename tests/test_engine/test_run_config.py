"""The config of a runner: its text is mmengine's, and unchanged keys are not formatted again."""

import pickle
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.config import config as mmengine_config

from imcnn_plugin.engine import build_runner
from imcnn_plugin.engine.run_config import _RunConfig

CONFIGS = sorted((Path(__file__).parents[2] / 'configs').glob('*.py'))


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
    [written] = [text for text in formatted if text.startswith('work_dir')]
    assert str(small_cfg.work_dir) in written
    formatted.clear()
    runner.train()
    assert len(list(Path(runner.work_dir).glob('epoch_*.pth'))) == 2 and not formatted


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_the_text_is_that_of_mmengine(path):
    plain = Config.fromfile(path)
    plain.paramwise = {'head.fc': dict(lr=-1e-3), 'b': (None, True, [1, 'x'])}
    assert _RunConfig.copy_of(plain).pretty_text == plain.pretty_text


def test_the_text_follows_the_content(formatted):
    plain = Config.fromfile(CONFIGS[0])
    cfg = _RunConfig.copy_of(plain)
    assert cfg.pretty_text == cfg.copy().pretty_text and cfg.filename == plain.filename
    formatted.clear()
    cfg.model.backbone.num_slices = 31
    assert 'num_slices=31' in cfg.pretty_text and len(formatted) == 1
    assert 'num_slices=31' not in plain.pretty_text
    assert pickle.loads(pickle.dumps(cfg)).pretty_text == cfg.pretty_text
