from pathlib import Path

import pytest
from commands import CONFIG, REPOSITORY

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.experiments import Job, parse_variant


def test_an_option_may_contain_the_seed(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    variant = parse_variant(f'second={CONFIG} load_from=out/first-seed{{seed}}/epoch_1.pth')
    jobs = [Job(variant, seed, Path('out')) for seed in (0, 3)]
    assert [job.options for job in jobs] == [
        [f'load_from=out/first-seed{seed}/epoch_1.pth', f'randomness.seed={seed}'] for seed in (0, 3)
    ]
    assert variant.config_hash != parse_variant(f'second={CONFIG}').config_hash
    # Also within a number.
    variant = parse_variant(f'split={CONFIG} train_dataloader.batch_size=1{{seed}}')
    assert Job(variant, 6, Path('out')).options[0] == 'train_dataloader.batch_size=16'
    assert variant.config_hash != parse_variant(f'split={CONFIG} train_dataloader.batch_size=10').config_hash
    with pytest.raises(ConfigError, match='give a number'):
        parse_variant(f'split={CONFIG} train_dataloader.batch_size=a{{seed}}')
