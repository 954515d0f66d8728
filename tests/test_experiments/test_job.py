from pathlib import Path

import pytest
from commands import CONFIG, REPOSITORY

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.experiments import Job, parse_variant
from imcnn_plugin.experiments.job import _folder_name


def test_folders_have_the_names_of_their_variants(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    names = ['MCNN, lr 0.003', 'a_ b__c', '基线', '身份损失', 'λ 1']
    folders = [_folder_name(parse_variant(f'{name}={CONFIG}'), 0) for name in names]
    assert folders == ['mcnn_lr_0.003-seed0', 'a_b_c-seed0', '基线-seed0', '身份损失-seed0', 'λ_1-seed0']


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
