import pytest
from commands import CONFIG, REPOSITORY, TINY

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.experiments import Variant, choose_baseline, lambda_variants, parse_variant
from imcnn_plugin.experiments.variant import _hash_config

OPTIONS = TINY
ATTR_NET = f'ATTR Net={CONFIG} model.head.id_head=None'
IMCNN = f'IMCNN 0.3={CONFIG} model.head.loss.id_weight=0.3'


def test_hash_depends_on_the_experiment_alone(monkeypatch, tmp_path):
    monkeypatch.chdir(REPOSITORY)
    same = _hash_config(CONFIG, [])
    # The last two are set automatically with a GPU, and equal to the config's value.
    for option in (
        'randomness.seed=3',
        f'data_root={tmp_path}',
        'work_dir=x',
        'train_dataloader.pin_memory=True',
        'train_cfg.max_epochs=6',
        # The name in earlier versions.
        'default_hooks.sync_buffers.type=SyncBuffersHook',
    ):
        assert _hash_config(CONFIG, [option]) == same
    monkeypatch.setenv('CELEBA_ROOT', str(tmp_path))
    assert _hash_config(str(REPOSITORY / CONFIG), []) == same
    assert _hash_config(CONFIG, ['model.head.loss.id_weight=0.3']) != same
    assert _hash_config(CONFIG, ['train_dataloader.batch_size=64']) != same
    assert _hash_config(CONFIG, ['optim_wrapper.type=BF16OptimWrapper']) != same


def test_lambdas_are_variants(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    zero, third = lambda_variants(['0', '0.3'], CONFIG, OPTIONS)
    assert zero.name == 'lambda 0' and zero.options == (*OPTIONS, 'model.head.id_head=None')
    assert third.name == 'lambda 0.3' and third.options == (*OPTIONS, 'model.head.loss.id_weight=0.3')
    # Names do not change the hash.
    assert zero.config_hash == parse_variant(ATTR_NET, OPTIONS).config_hash
    assert third.config_hash == parse_variant(IMCNN, OPTIONS).config_hash
    with pytest.raises(ConfigError, match="lambda 'x' is not a number"):
        lambda_variants(['x'], CONFIG)


@pytest.mark.parametrize(
    'text', ['', 'name', 'name=', f'={CONFIG}', f'a={CONFIG} lr', f'a={CONFIG} b c=d', f'a={CONFIG} "lr=1', 'a=no.py']
)
def test_unreadable_variants_are_rejected(text, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(ConfigError, match='expected NAME=CONFIG|cannot be read'):
        parse_variant(text)


def test_variants_without_a_test_split_are_rejected(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(ConfigError, match='has no test_dataloader, so the runs of A would have no results'):
        parse_variant(f'A={CONFIG} test_dataloader=None test_evaluator=None test_cfg=None')


def test_the_baseline_is_the_first_variant_even_if_it_failed():
    variants = [Variant('A', CONFIG), Variant('B', CONFIG)]
    assert choose_baseline(None, variants) == 'A' and choose_baseline('B', variants) == 'B'
    assert choose_baseline(None, []) is None and choose_baseline('C', []) == 'C'
    with pytest.raises(ConfigError, match="the baseline 'C' is not one of the variants"):
        choose_baseline('C', variants)
    with pytest.raises(ConfigError, match="several variants are named 'A'"):
        choose_baseline(None, [*variants, Variant('A', 'other.py')])


def test_folds_of_datasets_in_wrappers(monkeypatch, tmp_path):
    monkeypatch.chdir(REPOSITORY)
    config = tmp_path / 'both.py'
    config.write_text(
        f"_base_ = '{REPOSITORY}/configs/imcnn_lfwa_mini_best.py'\n"
        'lfwa = dict(_base_.train_dataloader.dataset)\n'
        "celeba = dict(type='PackedFaces', data_root='', protocol='official', with_label=False)\n"
        "both = [dict(type='RepeatDataset', dataset=lfwa, times=2), celeba]\n"
        "train_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=both))\n"
    )
    # CelebA's part has no folds.
    assert parse_variant(f'both={config}', folds=True).options == (
        'train_dataloader.dataset.datasets.0.dataset.fold={fold}',
        'test_dataloader.dataset.fold={fold}',
    )
    with pytest.raises(ConfigError, match=r"train_dataloader\.dataset\.protocol is 'official', but --folds needs"):
        parse_variant('CelebA=configs/imcnn_celeba_mini.py', folds=True)
