import numpy as np
import pytest

from imcnn_plugin.datasets import read_annotations
from imcnn_plugin.datasets.protocols import _check_disjoint, _kfold_splits, _official_splits, _paper_splits
from imcnn_plugin.errors import ConfigError, DataError

IDENTITY = np.array([5, 5, 9, 9, 9, 2, 7, 7, 1, 3])


def test_paper_splits_train_on_that_many_identities_and_test_on_the_rest():
    splits = _paper_splits(IDENTITY, num_train_identities=4, seed=1)
    assert len(np.unique(IDENTITY[splits['train']])) == 4
    assert not np.intersect1d(IDENTITY[splits['train']], IDENTITY[splits['test']]).size
    assert (splits['train'] ^ splits['test']).all()
    again, other = (_paper_splits(IDENTITY, num_train_identities=4, seed=seed)['train'] for seed in (1, 2))
    assert (again == splits['train']).all() and (other != splits['train']).any()


def test_folds_test_every_image_once_and_share_no_identity():
    tested = np.zeros(len(IDENTITY), int)
    for fold in range(3):
        splits = _kfold_splits(IDENTITY, fold, num_folds=3, seed=0)
        tested += splits['test']
        assert (splits['train'] ^ splits['test']).all()
        assert not np.intersect1d(IDENTITY[splits['train']], IDENTITY[splits['test']]).size
    assert (tested == 1).all()


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda: _paper_splits(IDENTITY, 6), '6 of 6 identities'),
        (lambda: _kfold_splits(IDENTITY, 5, 5), 'fold=5, num_folds=5'),
        (lambda: _kfold_splits(IDENTITY, 0, 7), 'num_folds=7, 6 identities'),
    ],
)
def test_rejects_what_cannot_be(call, message):
    with pytest.raises(ConfigError, match=message):
        call()


def test_unknown_identities_cannot_be_kept_apart():
    with pytest.raises(DataError, match='1 images have no known identity'):
        _kfold_splits(np.array([1, 2, -1]), 0, 2)


def test_names_an_identity_that_is_in_two_splits():
    names = np.array([b'%d.jpg' % i for i in range(10)])
    partition = np.array([0, 0, 0, 1, 2, 0, 1, 1, 2, 2])
    with pytest.raises(
        DataError,
        match=r'lists.txt: identity 9 is in both train \(2.jpg\) and val \(3.jpg\), and so are '
        '0 more',
    ):
        _check_disjoint(_official_splits(partition), IDENTITY, names, 'lists.txt')
    _check_disjoint(_official_splits(np.zeros(10, int)), IDENTITY, names, 'lists.txt')
    # Nothing is known of images without an identity.
    _check_disjoint(_official_splits(np.array([0, 2])), np.array([-1, -1]), names[:2], 'lists.txt')


def test_official_lists(celeba_annotations):
    annotations = read_annotations(celeba_annotations)
    splits = _official_splits(annotations.partition)
    _check_disjoint(splits, annotations.identity, annotations.names, 'the official lists')
    sizes = {split: (mask.sum(), len(np.unique(annotations.identity[mask]))) for split, mask in splits.items()}
    assert sizes == dict(train=(162770, 8192), val=(19867, 985), test=(19962, 1000), trainval=(182637, 9177))
    paper = _paper_splits(annotations.identity)
    assert len(np.unique(annotations.identity[paper['train']])) == 8000
    assert len(np.unique(annotations.identity[paper['test']])) == 2177
    tested = sum(_kfold_splits(annotations.identity, fold)['test'].astype(int) for fold in range(5))
    assert (tested == 1).all()
