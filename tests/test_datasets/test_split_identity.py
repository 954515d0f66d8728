"""What a split is, and what a model may be tested on that was trained on another one."""

import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset

from imcnn_plugin.datasets import (
    AttributeCSV,
    CelebAIdentity,
    PackedFaces,
    check_resumable,
    check_unseen,
    identify_split,
    merge_splits,
    read_split,
    split_identity,
    write_pack,
)
from imcnn_plugin.errors import ConfigError, DataError

KFOLD = dict(protocol='kfold', num_folds=4)


@pytest.fixture(scope='module')
def pack(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pack') / 'faces'
    write_pack(faces, folder, 8)
    return folder


@pytest.fixture
def split(faces):
    return lambda **options: identify_split(CelebAIdentity(str(faces), **options))


def test_files_and_their_pack_are_one_split(faces, pack, split):
    for options in (dict(split='test'), dict(KFOLD, fold=1), dict(protocol='paper', num_train_identities=7, seed=3)):
        assert split(**options) == identify_split(PackedFaces(str(pack), **options))


@pytest.mark.parametrize(
    'evaluated',
    [
        dict(KFOLD, fold=2),
        dict(KFOLD, fold=1, seed=1),
        dict(KFOLD, fold=1, num_folds=5),
        dict(protocol='paper', num_train_identities=15),
        dict(split='trainval', protocol='official'),
    ],
)
def test_identities_of_the_training_are_no_test(split, evaluated):
    trained = split(**KFOLD, fold=1)
    with pytest.raises(ConfigError, match=r'was trained on \d+ of \d+ identities of CelebA in .*; evaluate it by'):
        check_unseen(trained, split(**{'split': 'test', **evaluated}))
    check_unseen(trained, split(**KFOLD, fold=1, split='test'))


def test_the_training_split_itself_is_evaluated_with_a_warning(split, monkeypatch):
    said = []
    monkeypatch.setattr(split_identity, 'print_log', lambda message, *args: said.append(message))
    check_unseen(split(split='trainval'), split(split='test'))
    assert not said
    check_unseen(split(split='trainval'), split(split='val'))
    assert 'was trained on 2 of 2 identities of CelebA in split val of protocol official' in said[0]


def test_lists_of_another_partition(faces, split, tmp_path):
    for name in ('list_attr_celeba.txt', 'identity_CelebA.txt', 'img_align_celeba'):
        (tmp_path / name).symlink_to(faces / name)
    lines = (faces / 'list_eval_partition.txt').read_text().replace(' 0', ' 3').replace(' 2', ' 0').replace(' 3', ' 2')
    (tmp_path / 'list_eval_partition.txt').write_text(lines)
    other = identify_split(CelebAIdentity(str(tmp_path), split='test'))
    with pytest.raises(ConfigError, match='14 of 14 identities'):
        check_unseen(split(), other)
    # The same lists elsewhere are the same split.
    (tmp_path / 'list_eval_partition.txt').write_text((faces / 'list_eval_partition.txt').read_text())
    assert identify_split(CelebAIdentity(str(tmp_path))) == split()


def test_files_of_ones_own(faces, split, tmp_path):
    def csv(name, label):
        lines = [f'{i % 20:06d}.png,{i % 20},{(i + label) % 2}' for i in range(20)]
        (tmp_path / name).write_text('\n'.join(['image,who,round', *lines]) + '\n')
        for line in lines:
            (tmp_path / line.split(',')[0]).touch()
        return lambda **options: identify_split(
            AttributeCSV(name, str(tmp_path), identity_column='who', **KFOLD, **options)
        )

    one, corrected = csv('one.csv', 0), csv('two.csv', 1)
    with pytest.raises(ConfigError, match=r'5 of 5 identities of one\.csv'):
        check_unseen(one(fold=0), one(fold=1, split='test'))
    # Their numbers are not those of CelebA.
    check_unseen(split(), one(fold=1, split='test'))
    (tmp_path / 'one.csv').write_text((tmp_path / 'two.csv').read_text())
    with pytest.raises(ConfigError, match='5 of 5 identities'):
        check_unseen({**one(fold=0), 'lists': 'before a label was corrected'}, one(fold=1, split='test'))
    assert corrected(fold=0)['members'].keys() != one(fold=0)['members'].keys()


def test_wrappers_have_the_identities_of_all_parts(faces, split):
    parts = [CelebAIdentity(str(faces), split=name) for name in ('train', 'val')]
    both = ConcatDataset(parts, ignore_keys=['split', 'checksums'])
    assert identify_split(RepeatDataset(parts[1], 2)) == split(split='val')
    assert identify_split(both)['members'] == split(split='trainval')['members']
    # Such wrappers are not torch's datasets.
    settings = [dict(type='mmpretrain.CelebAIdentity', data_root=str(faces), split=name) for name in ('train', 'val')]
    repeated = [dict(type='RepeatDataset', dataset=dataset, times=2) for dataset in settings]
    repeated = ConcatDataset(repeated, ignore_keys=['split', 'checksums'])
    assert identify_split(repeated)['members'] == split(split='trainval')['members']
    assert identify_split([1, 2]) == {}


def test_resuming_needs_the_same_training_split(split):
    fold = split(**KFOLD, fold=1)
    check_resumable(fold, fold)
    # What it saw before, in a first stage, does not matter.
    check_resumable(merge_splits(fold, split(**KFOLD, fold=2)), fold)
    check_resumable({}, fold)
    for other in (dict(KFOLD, fold=2), dict(KFOLD, fold=1, seed=5), dict(split='trainval')):
        with pytest.raises(ConfigError, match='resume with the settings of its training'):
            check_resumable(fold, split(**other))


def test_older_checkpoints_know_protocol_and_fold(faces, split):
    old = read_split(dict(dataset_meta=CelebAIdentity(str(faces), **KFOLD, fold=1).metainfo))
    check_unseen(old, split(**KFOLD, fold=1, split='test'))
    check_resumable(old, split(**KFOLD, fold=1))
    with pytest.raises(ConfigError, match='was trained on identities in split test'):
        check_unseen(old, split(**KFOLD, fold=2, split='test'))
    with pytest.raises(ConfigError, match='fold 1.*fold 2'):
        check_resumable(old, split(**KFOLD, fold=2))
    check_unseen({**old, 'lists': 'of other data'}, split(**KFOLD, fold=2, split='test'))
    check_unseen(read_split({}), split(split='test'))


@pytest.mark.parametrize('damaged', [5, [1], dict(members=3), dict(members=dict(a=4)), dict(members=dict(a=[[1]]))])
def test_damaged_ones_are_named(damaged):
    with pytest.raises(DataError, match=r"meta\['trained_on'\] of the checkpoint cannot be read"):
        read_split(dict(trained_on=damaged))
