import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS
from PIL import Image
from scipy.io import savemat

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import (
    LFWA,
    PackedFaces,
    PackedLFWA,
    check_unseen,
    identify_split,
    lfwa,
    read_split,
    split_identity,
    verify_pack,
    write_pack,
)
from imcnn_plugin.engine import build_runner, evaluation_pipeline, load_config, train_and_test
from imcnn_plugin.errors import ConfigError, DataError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
ATT, SPLIT = 'lfw_att_40.mat', 'indices_train_test.mat'
# Identities are not in alphabetical order.
NAMES = [
    'Zoe_B\\Zoe_B_0001.jpg',
    'Zoe_B\\Zoe_B_0002.jpg',
    'Aaron_C\\Aaron_C_0001.jpg',
    'Bo_D\\Bo_D_0001.jpg',
    'Mia\\Mia_0001.jpg',
    'Mia\\Mia_0002.jpg',
]
IMAGES = [name.replace('\\', '/') for name in NAMES]
LABELS = np.array([[(i * i + i + j) % 3 == 0 for j in range(40)] for i in range(len(NAMES))], dtype=float)
TRAIN, TEST = [1, 2, 4], [3, 5, 6]


def write_v73(path, row_cells=False, header=True, **variables):
    """As MATLAB does: a header of its own, HDF5 after 512 bytes, arrays transposed, cells as references."""
    with h5py.File(path, 'w', userblock_size=512 if header else 0) as file:
        texts = file.create_group('#refs#')
        for field, value in variables.items():
            if isinstance(value, list):
                references = []
                for text in value:
                    codes = np.frombuffer(text.encode('utf-16-le'), '<u2')[:, None]
                    references.append(texts.create_dataset(f'{field}{len(references)}', data=codes).ref)
                    texts[f'{field}{len(references) - 1}'].attrs['MATLAB_class'] = np.bytes_('char')
                cells = file.create_dataset(
                    field, (len(value), 1) if row_cells else (1, len(value)), dtype=h5py.ref_dtype
                )
                cells[...] = np.array(references, dtype=object).reshape(cells.shape)
                cells.attrs['MATLAB_class'] = np.bytes_('cell')
            else:
                file.create_dataset(field, data=np.asarray(value).T).attrs['MATLAB_class'] = np.bytes_('double')
    if header:
        with path.open('r+b') as file:
            file.write(b'MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: Mon Jan 1 HDF5 schema 1.00 .'.ljust(124))
            file.write(b'\x00\x02IM')


def write_v5(path, row_cells=False, **variables):
    shape = (1, -1) if row_cells else (-1, 1)
    savemat(
        path,
        {
            field: np.array(value, dtype=object).reshape(shape) if isinstance(value, list) else value
            for field, value in variables.items()
        },
    )


WRITERS = dict(v73=write_v73, v5=write_v5)


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


def write_att(folder, write, **changes):
    variables = dict(name=NAMES, AttrName=[name.replace('_', ' ') for name in ATTRIBUTES], label=LABELS) | changes
    write(folder / ATT, **{field: value for field, value in variables.items() if value is not None})


def write_split(folder, write, train=TRAIN, test=TEST):
    variables = dict(indices_img_train=train, indices_img_test=test)
    write(folder / SPLIT, **{k: np.array(v, dtype=float)[:, None] for k, v in variables.items() if v is not None})


@pytest.fixture
def images(tmp_path):
    for i, name in enumerate(IMAGES):
        (tmp_path / 'lfw' / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (12, 12), (40 * i, 0, 0)).save(tmp_path / 'lfw' / name)
    return tmp_path


@pytest.fixture
def root(images, write):
    """Six images of four identities, with the files in one version of MATLAB's format."""
    write_att(images, write)
    write_split(images, write)
    return images


def test_records(root):
    dataset = DATASETS.build(dict(type='mmpretrain.LFWA', data_root=str(root)))
    assert len(dataset) == 6
    for i, record in enumerate(dataset):
        assert record['img_path'] == str(root / 'lfw' / IMAGES[i])
        assert record['gt_score'].tolist() == LABELS[i].tolist() and record['gt_score'].dtype == np.int8
    assert [record['identity'] for record in dataset] == [3, 3, 0, 1, 2, 2]
    assert [record['gt_identity'] for record in dataset] == [-1] * 6
    assert (
        dataset.metainfo.items() >= dict(classes=ATTRIBUTES, num_identities=0, protocol='halves', split='all').items()
    )
    assert 'halves, split all' in repr(dataset)


def test_splits(root):
    train, test = (LFWA(str(root), split=split) for split in ('train', 'test'))
    assert [record['img_path'] for record in train] == [str(root / 'lfw' / IMAGES[i - 1]) for i in TRAIN]
    assert [record['img_path'] for record in test] == [str(root / 'lfw' / IMAGES[i - 1]) for i in TEST]
    assert [record['gt_score'].tolist() for record in test] == LABELS[[2, 4, 5]].tolist()
    assert [record['identity'] for record in train] == [3, 3, 1]
    assert [record['gt_identity'] for record in train] == [1, 1, 0]
    assert [record['identity'] for record in test] == [0, 2, 2]
    assert [record['gt_identity'] for record in test] == [-1, -1, -1]
    assert (
        train.metainfo.items() >= dict(classes=ATTRIBUTES, num_identities=2, protocol='halves', split='train').items()
    )
    assert train.metainfo['checksums']['annotations'] == test.metainfo['checksums']['annotations']
    assert train.metainfo['checksums']['images'] != test.metainfo['checksums']['images']
    assert test.metainfo.items() >= dict(classes=ATTRIBUTES, num_identities=2, protocol='halves', split='test').items()


def test_the_halves_can_be_exchanged(root):
    train, test = (LFWA(str(root), split=split, fold=1) for split in ('train', 'test'))
    assert [record['img_path'] for record in train] == [str(root / 'lfw' / IMAGES[i - 1]) for i in TEST]
    assert [record['img_path'] for record in test] == [str(root / 'lfw' / IMAGES[i - 1]) for i in TRAIN]
    assert [record['gt_identity'] for record in train] == [0, 1, 1]
    with pytest.raises(
        ConfigError, match='was trained on 2 of 2 identities of LFWA in split train of protocol halves'
    ):
        check_unseen(identify_split(train), identify_split(LFWA(str(root), split='test')) | dict(split='train'))
    with pytest.raises(ConfigError, match="fold is 2, but protocol 'halves' has only 0, and 1, which exchanges them"):
        LFWA(str(root), split='train', fold=2)


def test_the_whole_is_one_split(root):
    (root / SPLIT).unlink()
    whole = LFWA(str(root), protocol='whole')
    assert len(whole) == 6 and whole.metainfo['num_identities'] == 0
    with pytest.raises(ConfigError, match=r"protocol 'whole' has no split 'train', only \['all'\]"):
        LFWA(str(root), protocol='whole', split='train')


def test_the_earlier_name_of_the_halves(root):
    test = LFWA(str(root), protocol='lfwa', split='test')
    assert test.metainfo['protocol'] == 'halves'
    # A checkpoint of then, with the identities of its split and without.
    trained = identify_split(LFWA(str(root), split='train'))
    old = {key: value for key, value in trained.items() if key != 'fold'} | dict(protocol='lfwa')
    assert read_split(dict(trained_on=old)) == trained
    exchanged = identify_split(LFWA(str(root), protocol='lfwa', split='train', exchanged=True))
    assert exchanged == identify_split(LFWA(str(root), split='train', fold=1))
    old = {key: value for key, value in exchanged.items() if key != 'fold'} | dict(protocol='lfwa', exchanged=True)
    assert read_split(dict(trained_on=old)) == exchanged
    meta = dict(protocol='lfwa', split='train', checksums=dict(annotations=trained['lists']))
    check_unseen(read_split(dict(dataset_meta=meta)), identify_split(test))


def test_people_of_the_training_half_are_held_out(root):
    train, fit, val = (LFWA(str(root), split=split) for split in ('train', 'fit', 'val'))
    parts = [{(record['img_path'], record['gt_identity']) for record in part} for part in (train, fit, val)]
    assert parts[0] == parts[1] | parts[2] and all(parts)
    assert not {record['identity'] for record in fit} & {record['identity'] for record in val}
    assert fit.metainfo['num_identities'] == train.metainfo['num_identities']


def test_folds_are_of_people(root):
    (root / SPLIT).unlink()
    folds = [
        {split: LFWA(str(root), split=split, protocol='kfold', fold=fold, num_folds=2) for split in ('train', 'test')}
        for fold in range(2)
    ]
    for fold in folds:
        people = [{record['identity'] for record in fold[split]} for split in ('train', 'test')]
        assert not people[0] & people[1] and people[0] | people[1] == {0, 1, 2, 3}
    tested = sorted(record['img_path'] for fold in folds for record in fold['test'])
    assert tested == sorted(str(root / 'lfw' / name) for name in IMAGES)
    with pytest.raises(ConfigError, match='by another|by the same protocol, fold'):
        check_unseen(identify_split(folds[0]['train']), identify_split(folds[1]['test']))
    with pytest.raises(
        ConfigError, match="there is no protocol 'official' of LFWA, only 'halves', 'whole' and 'kfold'"
    ):
        LFWA(str(root), protocol='official')


def test_a_file_is_read_once_for_all_splits(root, write, monkeypatch):
    calls = []
    read = lfwa._read_attributes
    monkeypatch.setattr(lfwa, '_read_attributes', lambda path: calls.append(path) or read(path))
    for split in ('train', 'test', 'all'):
        LFWA(str(root), split=split)
    assert len(calls) == 1
    write_att(root, write, label=1 - LABELS)
    assert LFWA(str(root))[0]['gt_score'].tolist() == (1 - LABELS[0]).tolist() and len(calls) == 2


def test_what_the_training_split_is_part_of_is_no_test(root, monkeypatch):
    said = []
    monkeypatch.setattr(split_identity, 'print_log', lambda message, *args: said.append(message))
    train, test, whole = (identify_split(LFWA(str(root), split=split)) for split in ('train', 'test', 'all'))
    check_unseen(train, test)
    assert not said
    check_unseen(train, whole)
    assert 'the model was trained on 2 of 4 identities of LFWA in split all of protocol halves' in said[0]


def test_rare_identities_can_be_made_unknown(root):
    dataset = LFWA(str(root), split='train', min_images_per_identity=2)
    assert [record['gt_identity'] for record in dataset] == [0, 0, -1]
    assert dataset.metainfo['num_identities'] == 1


def test_columns_are_found_by_name(root, write):
    order = np.random.default_rng(0).permutation(40)
    write_att(root, write, AttrName=[ATTRIBUTES[i] + ' ' for i in order], label=LABELS[:, order].astype(np.uint8))
    assert [record['gt_score'].tolist() for record in LFWA(str(root))] == LABELS.tolist()


@pytest.mark.parametrize('names', [IMAGES, [name + '  ' for name in NAMES]], ids=['slashes', 'blanks'])
def test_forms_of_names_and_cells(root, write, names):
    write_att(root, write, name=names, row_cells=True)
    assert [record['img_path'] for record in LFWA(str(root))] == [str(root / 'lfw' / name) for name in IMAGES]


def test_padded_characters_of_version_5(images):
    write_att(images, write_v5, name=np.array(NAMES))
    assert [record['img_path'] for record in LFWA(str(images))] == [str(images / 'lfw' / name) for name in IMAGES]


def test_version_73_without_its_header(images):
    write_att(images, write_v73, header=False)
    assert len(LFWA(str(images))) == 6


def test_indices_may_be_in_a_row(root, write):
    write(root / SPLIT, indices_img_train=np.array([TRAIN[::-1]], np.uint16), indices_img_test=np.array([TEST]))
    assert [record['identity'] for record in LFWA(str(root), split='train')] == [3, 3, 1]


@pytest.mark.parametrize('folder', ['Anno', 'anno'])
def test_layout_of_the_download(root, folder):
    (root / folder).mkdir()
    for name in (ATT, SPLIT):
        shutil.move(root / name, root / folder / name)
    assert len(LFWA(str(root), split='test')) == 3


def test_other_folder_of_images(root):
    shutil.move(root / 'lfw', root / 'lfw-deepfunneled')
    record = LFWA(str(root), data_prefix='lfw-deepfunneled')[0]
    assert record['img_path'] == str(root / 'lfw-deepfunneled' / IMAGES[0])


def test_whole_dataset_needs_no_split(root):
    (root / SPLIT).unlink()
    assert len(LFWA(str(root))) == 6
    with pytest.raises(DataError, match=rf'{SPLIT} not found, nor in Anno or anno: set the data root \(LFWA_ROOT'):
        LFWA(str(root), split='train')
    (root / ATT).unlink()
    with pytest.raises(DataError, match=f'{ATT} not found'):
        LFWA(str(root))


def changed(labels, row, column, value):
    labels = labels.copy()
    labels[row, column] = value
    return labels


@pytest.mark.parametrize(
    'changes, message',
    [
        (dict(name=None), "has no variable 'name'"),
        (dict(label=None), "has no variable 'label'"),
        (dict(name=np.arange(6.0)[:, None]), 'expected name to be text'),
        (dict(AttrName=['Smile', *ATTRIBUTES[1:]]), r'AttrName .* Smile is no attribute of CelebA \(and 1 more\)'),
        (dict(AttrName=[*ATTRIBUTES[:-1], 'Bald']), r'AttrName .* Young is missing \(and 1 more\)'),
        (dict(AttrName=list(ATTRIBUTES[:-1]), label=LABELS[:, :-1]), 'AttrName .* Young is missing'),
        (dict(label=LABELS[:5]), 'label is 5 x 40, expected 6 x 40'),
        (dict(label=LABELS.T), 'label is 40 x 6, expected 6 x 40'),
        (dict(label=changed(LABELS, 2, 4, -1)), r'row 3: Bald is -1, expected 0 or 1 \(1 such labels\)'),
        (dict(label=changed(LABELS, 5, 39, np.nan)), 'row 6: Young is nan'),
        (
            dict(name=[*NAMES[:5], 'Mia_0002.jpg']),
            "row 6: expected an identity's folder and a file in it, found 'M",
        ),
        (dict(name=[*NAMES[:5], 'lfw\\Mia\\Mia_0002.jpg']), "row 6: expected an identity's folder"),
        (
            dict(name=[*NAMES[:5], 'Zoe_B/Zoe_B_0002.jpg']),
            r"row 6: 'Zoe_B/Zoe_B_0002\.jpg' is already listed in row 2",
        ),
        (dict(name=[*NAMES[:3], 'Bo_D\\x.jpg', *NAMES[4:]]), r'row 4: Bo_D/x\.jpg is not in .*lfw \(1 of 6 images'),
        (dict(name=[], label=LABELS[:0]), "no image is in split 'all'"),
    ],
)
def test_bad_attribute_files_are_named(root, write, changes, message):
    write_att(root, write, **changes)
    with pytest.raises(DataError, match=message) as error:
        LFWA(str(root))
    assert str(root / ATT) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize(
    'train, test, message',
    [
        (None, TEST, "has no variable 'indices_img_train'"),
        ([0, 1], TEST, 'indices_img_train has 0.0, expected the number of one of the 6 images'),
        (TRAIN, [7, 3], 'indices_img_test has 7.0, expected'),
        ([1.5], TEST, 'indices_img_train has 1.5, expected'),
        ([np.nan], TEST, 'indices_img_train has nan, expected'),
        ([1, 2, 2], TEST, 'indices_img_train has 2 2 times'),
        ([1, 2, 3, 5], TEST, '3 is in both indices_img_train and indices_img_test, and so are 1 more'),
        ([1, 2, 5], [3, 6], r'identity 2 is in both train \(Mia/Mia_0001.jpg\) and test \(Mia/Mia_0002'),
        ([], TEST, "no image is in split 'train'"),
    ],
)
def test_bad_splits_are_named(root, write, train, test, message):
    write_split(root, write, train, test)
    with pytest.raises(DataError, match=message) as error:
        LFWA(str(root), split='train')
    assert str(root / SPLIT) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize(
    'content, message',
    [
        (b'<!DOCTYPE html><html>', r"version 5 or 7\.3, found one that begins with '<!DOCTYPE html><html>'"),
        (b'', "found one that begins with ''"),
        (b'MATLAB 5.0 MAT-file, cut off', 'cannot be read .* download it again'),
        (b'MATLAB 7.3 MAT-file, cut off', 'cannot be read .* download it again'),
    ],
)
@pytest.mark.parametrize('name', [ATT, SPLIT])
def test_other_files_are_rejected(root, name, content, message):
    (root / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        LFWA(str(root), split='test')
    assert str(root / name) in str(error.value) and '\n' not in str(error.value)


def test_files_that_were_cut_off_are_rejected(root):
    content = (root / ATT).read_bytes()
    (root / ATT).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf'{ATT} cannot be read .* download it again'):
        LFWA(str(root))


@pytest.mark.parametrize('write, package, other', [(write_v73, 'h5py', 'scipy.io'), (write_v5, 'scipy.io', 'h5py')])
def test_packages_are_needed_for_their_version_only(images, monkeypatch, write, package, other):
    write_att(images, write)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, other, None)
        assert len(LFWA(str(images))) == 6
    lfwa._read_once.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=rf"{package}.*: pip install 'imcnn_plugin\[analysis\]'") as error:
        LFWA(str(images))
    assert str(images / ATT) in str(error.value) and '\n' not in str(error.value)


def test_missing_images_are_named(root):
    (root / 'lfw' / IMAGES[4]).unlink()
    shutil.rmtree(root / 'lfw' / 'Zoe_B')
    with pytest.raises(DataError, match=rf"{ATT}, row 1: {IMAGES[0]} is not in .*lfw \(3 of 6 images of split 'all'"):
        LFWA(str(root))
    with pytest.raises(DataError, match=rf"row 5: {IMAGES[4]} is not in .*lfw \(1 of 3 images of split 'test'"):
        LFWA(str(root), split='test')
    shutil.rmtree(root / 'lfw')
    with pytest.raises(DataError, match='lfw not found: unpack the images there'):
        LFWA(str(root))


def test_people_of_another_download_are_said(root, write, monkeypatch):
    said = []
    monkeypatch.setattr(lfwa, 'print_log', lambda message, *args: said.append(message))
    halves = dict(indices_img_train=np.array([TRAIN]).T, indices_img_test=np.array([TEST]).T)
    for people, lines in ([1, 3], 0), ([1, 2, 3], 1):
        numbers = np.array([people], float).T
        write(root / SPLIT, **halves, indices_identity_train=numbers, indices_identity_test=np.array([[0.0, 2.0]]).T)
        LFWA(str(root), split='train')
        assert len(said) == lines
    assert 'indices_identity_train has 3 people, but the images of that half show 2' in said[0]


def test_unknown_split(root):
    with pytest.raises(
        ConfigError, match=r"protocol 'halves' has no split 'trainval', only \['all', 'fit', 'test', 'train', 'val'\]"
    ):
        LFWA(str(root), split='trainval')


@pytest.mark.parametrize(
    'name, sizes',
    [
        ('imcnn_lfwa', dict(test_dataloader=6)),
        ('imcnn_lfwa_finetune', dict(train_dataloader=3, val_dataloader=3, test_dataloader=3)),
    ],
)
def test_configs(root, monkeypatch, name, sizes):
    monkeypatch.setenv('LFWA_ROOT', str(root))
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        preprocessor = MODELS.build(cfg.model.data_preprocessor)
        for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            assert (cfg.get(loader) is not None) == (loader in sizes)
            if loader in sizes:
                dataset = DATASETS.build(cfg[loader].dataset)
                assert len(dataset) == sizes[loader]
                batch = preprocessor(default_collate(list(dataset)))
                assert batch['inputs'].shape == (sizes[loader], 3, 112, 112)
    assert cfg.model.head.id_head is None


def test_attributes_may_be_chosen(root):
    [record, *_] = LFWA(str(root), classes=['Young', 'Male'])
    labels = dict(zip(ATTRIBUTES, LFWA(str(root))[0]['gt_score'].tolist()))
    assert record['gt_score'].tolist() == [labels['Young'], labels['Male']]


@pytest.fixture
def pack(images, tmp_path):
    """Pictures in LFW's size, of noise, and their pack."""
    write_att(images, write_v5)
    write_split(images, write_v5)
    generator = np.random.default_rng(0)
    for name in IMAGES:
        Image.fromarray(generator.integers(0, 256, (250, 250, 3), np.uint8)).save(images / 'lfw' / name)
    return write_pack(images, tmp_path / 'pack', size=16, jobs=1).path


def cut_and_resize(size):
    return [
        dict(type='LoadFaceFromFile'),
        dict(type='CenterCrop', crop_size=(170, 208)),
        dict(type='Resize', scale=(size, size), interpolation='area'),
        dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
    ]


@pytest.mark.parametrize(
    'options',
    [
        dict(protocol='whole'),
        dict(split='all'),
        *(dict(split=split, fold=fold) for split in ('train', 'test', 'fit') for fold in (0, 1)),
    ],
)
def test_a_pack_gives_what_the_files_do(images, pack, options):
    files = LFWA(str(images), pipeline=cut_and_resize(16), **options)
    packed = PackedLFWA(str(pack), pipeline=cut_and_resize(16), batched=False, **options)
    assert identify_split(packed) == identify_split(files)
    assert packed.metainfo == dict(files.metainfo, image_size=(16, 16), image_cut=(170, 208))
    for one, other in zip(files, packed):
        assert (one['inputs'] == other['inputs']).all()
        for key in ('gt_score', 'gt_identity', 'identity'):
            assert np.array_equal(getattr(one['data_samples'], key), getattr(other['data_samples'], key))


def test_a_pack_may_lack_the_halves(images, pack, tmp_path):
    # As the protocols 'whole' and 'kfold' do not need them.
    (images / 'indices_train_test.mat').unlink()
    path = write_pack(images, tmp_path / 'no_halves', size=16, jobs=1).path
    whole = PackedLFWA(str(path), protocol='whole')
    assert len(whole) == len(LFWA(str(images), protocol='whole')) == len(IMAGES)
    assert len(PackedLFWA(str(path), split='all')) == len(IMAGES)
    with pytest.raises(DataError, match='no_halves does not say which images are in which half: pack LFWA with'):
        PackedLFWA(str(path), split='test')


def test_a_pack_is_verified_and_no_other_dataset(images, pack, faces):
    assert verify_pack(pack, images, jobs=1).header['dataset'] == 'LFWA'
    with pytest.raises(DataError, match='the pack holds LFWA, but .* CelebA'):
        verify_pack(pack, faces, jobs=1)
    with pytest.raises(ConfigError, match='holds LFWA, not CelebA: set the type of the dataset to PackedLFWA'):
        PackedFaces(str(pack))
    with pytest.raises(ConfigError, match=r'the middle of \[170, 208\] pixels was packed, .* does not cut out'):
        PackedLFWA(str(pack), pipeline=[step for step in cut_and_resize(16) if step['type'] != 'CenterCrop'])
    other = [dict(step, crop_size=(100, 100)) if 'crop_size' in step else step for step in cut_and_resize(16)]
    with pytest.raises(ConfigError, match='packed with crop_size'):
        PackedLFWA(str(pack), pipeline=other)


def test_a_photo_is_cut_as_the_pack_was(pack):
    meta = dict(dataset_meta=PackedLFWA(str(pack)).metainfo)
    dataset = dict(type='PackedLFWA', data_root=str(pack))
    for given in (meta, None):
        steps = evaluation_pipeline(Config(dict(test_dataloader=dict(dataset=dataset))), given)
        assert steps == cut_and_resize(16)


@pytest.mark.parametrize('fold', [0, 1])
def test_people_are_learned_from_a_half(images, tmp_path, fold):
    """The config for a pack, at a sixteenth of the width, with its identity head."""
    write_att(images, write_v5)
    write_split(images, write_v5)
    pack = write_pack(images, tmp_path / 'pack', size=72, jobs=1).path
    options = {f'{name}_dataloader.dataset.fold': fold for name in ('train', 'val', 'test')}
    options |= {
        'model.backbone.width': 1 / 16,
        'model.head.attr_head.in_channels': 192,
        'model.head.id_head.in_channels': 192,
        'train_cfg.max_epochs': 1,
    }
    cfg = load_config('imcnn_lfwa_mini.py', str(pack), str(tmp_path / 'run'), options)
    runner = build_runner(cfg)
    train_and_test(runner)
    assert runner.model.head.id_head.num_identities == 2
    assert len(runner.train_dataloader.dataset) < 3 == len(runner.test_dataloader.dataset)
    stored = json.loads((tmp_path / 'run' / 'per_attribute.json').read_text())
    assert (stored['protocol'], stored['split'], stored['fold']) == ('halves', 'test', fold)


def test_the_best_recipe_trains_on_a_whole_half(images, tmp_path):
    write_att(images, write_v5)
    write_split(images, write_v5)
    pack = write_pack(images, tmp_path / 'pack', size=72, jobs=1).path
    options = {
        'load_from': None,
        'model.backbone.width': 1 / 16,
        'model.head.attr_head.in_channels': 192,
        'train_cfg.max_epochs': 1,
    }
    runner = build_runner(load_config('imcnn_lfwa_mini_best.py', str(pack), str(tmp_path / 'run'), options))
    train_and_test(runner)
    assert len(runner.train_dataloader.dataset) == len(PackedLFWA(str(pack), split='train')) == 3
    assert runner.val_loop is None and (tmp_path / 'run' / 'per_attribute.json').is_file()
