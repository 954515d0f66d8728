"""What users of mmengine and mmpretrain pass to any dataset, and wrap around it."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import AttributeCSV, CelebAIdentity, PackedFaces, write_pack
from imcnn_plugin.errors import ConfigError, DataError


@pytest.fixture(scope='module')
def configs(faces, tmp_path_factory):
    """The same training split of three datasets."""
    folder = tmp_path_factory.mktemp('configs')
    write_pack(faces, folder / 'pack', size=24, jobs=1)
    celeba = CelebAIdentity(str(faces))
    rows = [
        f'{Path(record["img_path"]).name},{record["identity"]},{",".join(map(str, record["gt_score"].tolist()))}'
        for record in celeba
    ]
    (folder / 'labels.csv').write_text('\n'.join([','.join(['image', 'who', *ATTRIBUTES]), *rows]))
    csv = dict(ann_file=str(folder / 'labels.csv'), data_prefix='img_align_celeba', identity_column='who')
    return {
        CelebAIdentity: dict(data_root=str(faces)),
        AttributeCSV: dict(data_root=str(faces), **csv),
        PackedFaces: dict(data_root=str(folder / 'pack'), batched=False),
    }


@pytest.fixture(params=[CelebAIdentity, AttributeCSV, PackedFaces], ids=lambda kind: kind.__name__)
def make(request, configs):
    return lambda **options: request.param(**{**configs[request.param], **options})


@pytest.mark.parametrize(
    'options, rows',
    [
        (dict(serialize_data=True), slice(None)),
        (dict(serialize_data=False, test_mode=True, max_refetch=3, filter_cfg=None), slice(None)),
        (dict(lazy_init=True), slice(None)),
        (dict(indices=5), slice(5)),
        (dict(indices=-5), slice(-5, None)),
        (dict(indices=[7, 2, 2]), [7, 2, 2]),
        (dict(indices=np.array([1, 3])), [1, 3]),
        (dict(data_prefix=dict(img_path='img_align_celeba')), slice(None)),
    ],
)
def test_options_of_mmengines_datasets(make, options, rows):
    dataset, whole = make(**options), make()
    dataset.full_init()
    # Records stay arrays, from which a model takes its labels.
    dataset.take_classes(['Male', 'Young'])
    columns = [ATTRIBUTES.index(name) for name in ('Male', 'Young')]
    assert np.array_equal(dataset.data_list.gt_score, whole.data_list.gt_score[rows][:, columns])
    assert np.array_equal(dataset.data_list.gt_identity, whole.data_list.gt_identity[rows])
    assert len(pickle.loads(pickle.dumps(dataset))) == len(dataset)


def test_labels_may_be_in_a_file_or_in_metainfo(make, tmp_path):
    (tmp_path / 'labels.txt').write_bytes('Young\r\nMale\r\n'.encode('utf-8-sig'))
    for options in (dict(classes=str(tmp_path / 'labels.txt')), dict(metainfo=dict(classes=('Young', 'Male')))):
        dataset = make(**options)
        # They are its own, which a model does not replace.
        dataset.take_classes(['Male'])
        assert dataset.CLASSES == ('Young', 'Male') and dataset.data_list.gt_score.shape[1] == 2


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(filter_cfg=dict(filter_empty_gt=True)), 'filter_cfg is .*, but nothing is filtered: choose images by'),
        (dict(data_prefix=dict(img='img_align_celeba')), 'data_prefix is .*, expected the image folder or dict'),
        (dict(classes=[]), 'classes is empty: name the labels'),
        (dict(indices=0), 'indices is 0, which leaves no image'),
        (dict(indices=[]), r'indices is \[\], which leaves no image'),
        (dict(min_images_per_identity=-3), 'min_images_per_identity is -3: it must be at least 0'),
    ],
)
def test_options_that_would_do_nothing_are_named(make, options, message):
    with pytest.raises(ConfigError, match=message):
        make(**options)


def test_a_list_that_would_not_be_read_is_refused(configs):
    for kind in (CelebAIdentity, PackedFaces):
        with pytest.raises(
            ConfigError, match=f'ann_file is mine.txt, but {kind.__name__} reads the files in data_root'
        ):
            kind(**configs[kind], ann_file='mine.txt')


def test_data_root_may_be_a_path_or_in_the_home_folder(faces, monkeypatch):
    monkeypatch.setenv('HOME', str(faces.parent))
    assert len(CelebAIdentity(f'~/{faces.name}')) == len(CelebAIdentity(faces)) > 0


def test_positive_labels_are_the_categories(make):
    dataset = make()
    for index in range(5):
        assert dataset.get_cat_ids(index) == np.flatnonzero(dataset.get_data_info(index)['gt_score'] == 1).tolist()


@pytest.mark.parametrize(
    'wrapper, size',
    [
        (dict(type='RepeatDataset', times=2), 112),
        (dict(type='KFoldDataset', num_splits=4, fold=1), 42),
        (dict(type='ClassBalancedDataset', oversample_thr=1e-3), 56),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_wrappers_of_mmengine_and_mmpretrain(configs, wrapper, size):
    for kind, options in configs.items():
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            dataset = DATASETS.build(dict(wrapper, dataset=dict(type=kind.__name__, **options)))
        assert len(dataset) == size and dataset.metainfo['num_identities'] == 14
        assert [*dataset.metainfo['classes']] == [*ATTRIBUTES]
        assert len([dataset[index] for index in range(3)]) == 3


def test_folds_of_mmpretrain_divide_the_images(configs):
    for kind, options in configs.items():
        settings = dict(type='KFoldDataset', num_splits=4, seed=1, dataset=dict(type=kind.__name__, **options))
        parts = [DATASETS.build(dict(settings, test_mode=test_mode)) for test_mode in (False, True)]
        names = [{part.get_data_info(index)['img_path'] for index in range(len(part))} for part in parts]
        assert not names[0] & names[1] and len(names[0] | names[1]) == 56


@pytest.mark.parametrize('damage', [b'', b'<html></html>', b'\xff\xd8\xff\xe0'])
def test_the_stock_reader_of_images_names_what_it_cannot_read(tmp_path, damage):
    (tmp_path / 'a.jpg').write_bytes(damage)
    (tmp_path / 'labels.csv').write_text('image,red\na.jpg,1\n')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = AttributeCSV('labels.csv', str(tmp_path), pipeline=[dict(type='LoadImageFromFile')])
    with pytest.raises(DataError, match=r'a\.jpg cannot be read or transformed \(.*\): restore it') as error:
        dataset[0]
    assert '\n' not in str(error.value)


def test_sizes_of_nothing_name_the_image(faces):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = CelebAIdentity(
            str(faces), pipeline=[dict(type='LoadFaceFromFile'), dict(type='Resize', scale=(0, 0))]
        )
    with pytest.raises(DataError, match=r'\.jpg cannot be read or transformed \(error: OpenCV'):
        dataset[0]


def test_several_splits_can_be_joined(make):
    parts = [make(indices=5), make(indices=[6, 7])]
    assert len(ConcatDataset(parts, ignore_keys=['checksums'])) == 7


def test_without_labels_the_images_and_identities_stay(make):
    dataset, whole = make(with_label=False, indices=[3, 1]), make()
    assert dataset.data_list.gt_score.shape == (2, 40) and (dataset.data_list.gt_score == -1).all()
    found, expected = dataset.get_data_info(0), whole.get_data_info(3)
    assert all(found[key] == expected[key] for key in ('img_path', 'gt_identity', 'identity'))
    assert (whole.data_list.gt_score >= 0).any()


def test_the_checksum_is_that_of_the_chosen_images(make):
    whole, some, same = make(), make(indices=5), make(indices=[0, 1, 2, 3, 4])
    found = [dataset.metainfo['checksums'] for dataset in (whole, some, same)]
    assert found[0] != found[1] == found[2] and found[0]['annotations'] == found[1]['annotations']
    assert whole.get_subset(5).metainfo and whole.metainfo['checksums'] == found[0]


def test_no_pipeline_may_be_none(make):
    assert make(pipeline=None)[0].keys() == make()[0].keys()
