import hashlib
import os
import shutil

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmpretrain.registry import DATASETS
from PIL import Image

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import CelebAIdentity, read_annotations
from imcnn_plugin.errors import ConfigError, DataError

LISTS = ('list_attr_celeba.txt', 'identity_CelebA.txt', 'list_eval_partition.txt')


@pytest.fixture
def root(tmp_path):
    """Eight images of four identities; a's identity is the largest number, so that labels must be made contiguous."""
    rows = [('a', 90, 0), ('b', 7, 0), ('c', 90, 0), ('d', 3, 1), ('e', 50, 2), ('f', 50, 2), ('g', 7, 0), ('h', 7, 0)]
    (tmp_path / 'img_align_celeba').mkdir()
    lines = [str(len(rows)), ' '.join(ATTRIBUTES) + ' ']
    for i, (name, _, _) in enumerate(rows):
        lines.append(f'{name}.jpg ' + ' '.join(' 1' if (i + j) % 3 == 0 else '-1' for j in range(40)))
        Image.new('RGB', (8, 10)).save(tmp_path / 'img_align_celeba' / f'{name}.jpg')
    (tmp_path / LISTS[0]).write_text('\n'.join(lines) + '\n')
    (tmp_path / LISTS[1]).write_text(''.join(f'{name}.jpg {identity}\n' for name, identity, _ in rows))
    (tmp_path / LISTS[2]).write_text(''.join(f'{name}.jpg {part}\n' for name, _, part in rows))
    return tmp_path


def edit(path, line, text):
    lines = path.read_text().split('\n')
    lines[line - 1] = text(lines[line - 1]) if callable(text) else text
    path.write_text('\n'.join(lines))


def test_records(root):
    dataset = DATASETS.build(dict(type='mmpretrain.CelebAIdentity', data_root=str(root), split='train'))
    assert len(dataset) == 5
    record = dataset[3]
    assert record['img_path'] == str(root / 'img_align_celeba' / 'g.jpg')
    assert record['gt_score'].tolist() == [int((6 + j) % 3 == 0) for j in range(40)]
    assert (record['gt_identity'], record['identity'], record['sample_idx']) == (0, 7, 3)
    assert [dataset[i]['gt_identity'] for i in range(5)] == [1, 0, 1, 0, 0]
    metainfo = dataset.metainfo
    checksums = metainfo.pop('checksums')
    assert metainfo == dict(classes=ATTRIBUTES, num_identities=2, protocol='official', split='train')
    images = hashlib.sha256(b'a.jpg\nb.jpg\nc.jpg\ng.jpg\nh.jpg\n').hexdigest()
    assert checksums['images'] == images
    edit(root / LISTS[0], 3, lambda line: line.replace('-1', ' 1'))
    other = CelebAIdentity(str(root)).metainfo['checksums']
    assert other['images'] == images and other['annotations'] != checksums['annotations']


def test_identities_outside_the_training_split_are_unknown(root):
    for split, size in (('val', 1), ('test', 2)):
        dataset = CelebAIdentity(str(root), split=split)
        assert [record['gt_identity'] for record in dataset] == [-1] * size
        assert dataset.metainfo['num_identities'] == 2
    both = CelebAIdentity(str(root), split='trainval')
    assert [record['gt_identity'] for record in both] == [2, 1, 2, 0, 1, 1]


def test_an_identity_may_be_unknown(root):
    edit(root / LISTS[1], 2, 'b.jpg -1')
    dataset = CelebAIdentity(str(root))
    assert [record['identity'] for record in dataset] == [90, -1, 90, 7, 7]
    assert [record['gt_identity'] for record in dataset] == [1, -1, 1, 0, 0]


def test_rare_identities_can_be_made_unknown(root):
    dataset = CelebAIdentity(str(root), min_images_per_identity=3)
    assert [record['gt_identity'] for record in dataset] == [-1, 0, -1, 0, 0]
    assert dataset.metainfo['num_identities'] == 1


def test_test_split_needs_no_training_rows(root):
    names = [b'e', b'f']
    for name in LISTS:
        lines = (root / name).read_bytes().splitlines(keepends=True)
        head = [b'2\n', lines[1]] if name == LISTS[0] else []
        (root / name).write_bytes(b''.join(head + [line for line in lines if line[:1] in names and line[1:2] == b'.']))
    for path in (root / 'img_align_celeba').iterdir():
        if path.stem not in ('e', 'f'):
            path.unlink()
    dataset = CelebAIdentity(str(root), split='test')
    assert len(dataset) == 2 and dataset[1]['identity'] == 50


def test_layout_of_the_download_and_png(root):
    for folder, names in (('Anno', LISTS[:2]), ('Eval', LISTS[2:]), ('Img', ['img_align_celeba'])):
        (root / folder).mkdir()
        for name in names:
            shutil.move(root / name, root / folder / name)
    assert CelebAIdentity(str(root))[0]['img_path'] == str(root / 'Img' / 'img_align_celeba' / 'a.jpg')
    folder = root / 'Img' / 'img_align_celeba_png'
    shutil.move(root / 'Img' / 'img_align_celeba', folder)
    for path in folder.iterdir():
        path.rename(path.with_suffix('.png'))
    assert CelebAIdentity(str(root))[0]['img_path'] == str(folder / 'a.png')


def test_lists_may_differ_in_order_and_hold_more(root):
    lines = (root / LISTS[1]).read_text().splitlines()
    (root / LISTS[1]).write_text('\r\n'.join(['zz.jpg 1', *lines[::-1], '']))
    assert [record['identity'] for record in CelebAIdentity(str(root))] == [90, 7, 90, 7, 7]


def test_protocols(root):
    splits = [
        CelebAIdentity(str(root), protocol='paper', num_train_identities=2, split=split) for split in ('train', 'test')
    ]
    assert sum(map(len, splits)) == 8 and splits[0].metainfo['num_identities'] == 2
    folds = [CelebAIdentity(str(root), protocol='kfold', num_folds=2, fold=fold, split='test') for fold in (0, 1)]
    assert sorted(record['img_path'][-5] for fold in folds for record in fold) == list('abcdefgh')
    assert folds[1].metainfo['fold'] == 1
    with pytest.raises(ConfigError, match=r"'kfold' has no split 'val', only \['test', 'train'\]"):
        CelebAIdentity(str(root), protocol='kfold', num_folds=2, split='val')
    with pytest.raises(ConfigError, match="no protocol 'random'"):
        CelebAIdentity(str(root), protocol='random')


def test_works_with_subsets_and_wrappers(root):
    assert len(CelebAIdentity(str(root), indices=3)) == 3
    assert CelebAIdentity(str(root), indices=[4, 1])[0]['img_path'].endswith('h.jpg')
    dataset = CelebAIdentity(str(root))
    assert len(ConcatDataset([dataset, dataset])) == 10
    assert RepeatDataset(dataset, 3)[12]['identity'] == 90


@pytest.mark.parametrize(
    'name, line, text, message',
    [
        (LISTS[0], 1, '<!DOCTYPE html>', 'is an HTML page, not a list'),
        (LISTS[0], 1, 'number', "line 1: expected the number of images, found 'number'"),
        (LISTS[0], 1, '9', 'line 1: announces 9 images, but 8 lines follow'),
        (
            LISTS[0],
            2,
            lambda line: line.replace('Bald', 'Bold'),
            'line 2: column 5 is Bold \\(no attribute of CelebA\\), expected Bald',
        ),
        (LISTS[0], 2, lambda line: line.replace(' Young', ''), 'line 2: Young is missing'),
        (
            LISTS[0],
            5,
            lambda line: line[:-3],
            r"line 5: expected a file name and 40 labels, found 39 labels in 'c\.jpg",
        ),
        (LISTS[0], 2, lambda line: line + 'Young', 'line 2: Young is there 2 times'),
        (LISTS[0], 2, lambda line: line + 'Tall', 'line 2: Tall is no attribute of CelebA'),
        (LISTS[0], 4, lambda line: line[:-2] + ' 0', "line 4: Young is '0', expected 1 or -1"),
        (LISTS[0], 4, lambda line: line[:-2] + ' 1 -', 'line 4: expected a file name and 40 labels'),
        (LISTS[0], 6, lambda line: 'a' + line[1:], r"line 6: 'a\.jpg' is already listed in line 3"),
        (
            LISTS[1],
            2,
            'b.jpg seven',
            r"line 2: expected a file name and an integer from -1 .* found 'b\.jpg seven'",
        ),
        (
            LISTS[1],
            3,
            'x.jpg 90',
            r"no line for 'c\.jpg', which .*list_attr_celeba\.txt, line 5 lists: take all lists",
        ),
        (LISTS[1], 2, 'b.jpg', r"line 2: expected a file name and an integer from -1 .* found 'b\.jpg'"),
        (LISTS[1], 2, 'b.jpg 7 7', r"line 2: expected a file name and .* found 'b\.jpg 7 7'"),
        (LISTS[1], 2, 'b.jpg 12345678901234567890', 'line 2: expected a file name and an integer from -1'),
        (LISTS[1], 3, 'b.jpg 90', r"line 3: 'b\.jpg' is already listed in line 2"),
        (LISTS[2], 8, 'h.jpg 3', r"line 8: expected a file name and an integer from 0 to 2, found 'h\.jpg 3'"),
        (LISTS[2], 8, 'h.jpg 2', r'identity 7 is in both train \(b\.jpg\) and test \(h\.jpg\)'),
    ],
)
def test_bad_lines_are_named(root, name, line, text, message):
    edit(root / name, line, text)
    with pytest.raises(DataError, match=message) as error:
        CelebAIdentity(str(root))
    assert str(root / name) in str(error.value) and '\n' not in str(error.value)


def test_missing_files_are_named(root):
    (root / 'img_align_celeba' / 'c.jpg').unlink()
    with pytest.raises(
        DataError, match=r"list_attr_celeba\.txt, line 5: 'c\.jpg' is not in .*img_align_celeba: unpack"
    ):
        CelebAIdentity(str(root))
    assert len(CelebAIdentity(str(root), split='test')) == 2
    shutil.rmtree(root / 'img_align_celeba')
    with pytest.raises(DataError, match='img_align_celeba: not found'):
        CelebAIdentity(str(root), split='test')
    # The list of identities may be missing.
    for name in LISTS[::-2]:
        (root / name).unlink()
        with pytest.raises(DataError, match=f'{name}: not found, nor .* set the data root'):
            CelebAIdentity(str(root))


def test_an_empty_split_is_rejected(root):
    edit(root / LISTS[2], 4, 'd.jpg 0')
    with pytest.raises(DataError, match="no image is in split 'val'"):
        CelebAIdentity(str(root), split='val')


def test_real_faces(celeba_mini):
    sizes = {split: CelebAIdentity(str(celeba_mini), split=split) for split in ('train', 'val', 'test')}
    assert {split: len(dataset) for split, dataset in sizes.items()} == dict(train=11473, val=1171, test=1530)
    assert sizes['train'].metainfo['num_identities'] == 3947


def test_official_lists_agree_with_a_plain_reading(celeba_annotations):
    annotations = read_annotations(celeba_annotations)
    assert len(annotations.names) == 202599 and len(np.unique(annotations.identity)) == 10177
    with open(celeba_annotations / LISTS[0]) as file:
        lines = file.readlines()[2:]
    for row in range(0, len(lines), 997):
        name, *labels = lines[row].split()
        assert annotations.names[row].decode() == name
        assert annotations.labels[row].tolist() == [int(label == '1') for label in labels]
    assert set(np.unique(annotations.labels)) == {0, 1}


@pytest.mark.parametrize('name', ['../img_align_celeba/a.jpg', '/etc/passwd', '..', 'b/../../a.jpg', '..\\a.jpg'])
@pytest.mark.parametrize('place', LISTS)
def test_a_name_that_leaves_the_image_folder_is_rejected(root, place, name):
    edit(root / place, 4, lambda line: ' '.join([name, *line.split()[1:]]))
    with pytest.raises(DataError, match='line 4: expected a file name, found') as error:
        CelebAIdentity(str(root))
    assert str(root / place) in str(error.value)


def test_names_that_are_not_utf8(root):
    for name in LISTS:
        (root / name).write_bytes((root / name).read_bytes().replace(b'a.jpg', b'\xff.jpg'))
    (root / 'img_align_celeba' / 'a.jpg').rename(os.fsdecode(os.fsencode(root) + b'/img_align_celeba/\xff.jpg'))
    assert os.path.isfile(CelebAIdentity(str(root))[0]['img_path'])


def test_several_errors_of_a_kind_are_counted(root):
    for name in 'ac':
        (root / 'img_align_celeba' / f'{name}.jpg').unlink()
    with pytest.raises(DataError, match=r'line 3: .* \(and 1 more of this kind\): unpack the images again$'):
        CelebAIdentity(str(root))


@pytest.mark.parametrize('classes', [['Young', 'Male', 'Bald'], ATTRIBUTES[::-1]])
def test_attributes_may_be_chosen(root, classes):
    every, chosen = CelebAIdentity(str(root)), CelebAIdentity(str(root), classes=classes)
    assert list(chosen.metainfo['classes']) == list(classes)
    for record, other in zip(every, chosen):
        labels = dict(zip(ATTRIBUTES, record['gt_score'].tolist()))
        assert other['gt_score'].tolist() == [labels[name] for name in classes]
    for wrong in (['Male', 'Tall'], ['Male', 'Male']):
        with pytest.raises(ConfigError, match='not CelebA attributes, or repeats them'):
            CelebAIdentity(str(root), classes=wrong)


def test_images_may_be_elsewhere(root, tmp_path):
    images, link = tmp_path / 'elsewhere' / 'images', tmp_path / 'deep' / 'link'
    images.parent.mkdir()
    link.parent.mkdir()
    (root / 'img_align_celeba').rename(images)
    link.symlink_to(root)
    dataset = CelebAIdentity(str(link), data_prefix=str(images))
    assert dataset[0]['img_path'] == str(images / 'a.jpg')


def test_lists_may_begin_with_a_byte_order_mark(root):
    before = [record['gt_score'].tolist() for record in CelebAIdentity(str(root))]
    for name in LISTS:
        (root / name).write_bytes(b'\xef\xbb\xbf' + (root / name).read_bytes())
    assert [record['gt_score'].tolist() for record in CelebAIdentity(str(root))] == before


@pytest.mark.parametrize('encoding, end', [('utf-8-sig', '\n'), ('utf-16', '\r\n'), ('utf-8', '\r')])
def test_lists_of_any_editor_are_the_same(root, encoding, end):
    expected = list(CelebAIdentity(str(root)).data_list.gt_score), CelebAIdentity(str(root)).metainfo['num_identities']
    for name in LISTS:
        with open(root / name, encoding='utf-8') as file:
            text = file.read()
        with open(root / name, 'w', encoding=encoding, newline=end) as file:
            file.write(text)
    dataset = CelebAIdentity(str(root))
    assert np.array_equal(dataset.data_list.gt_score, expected[0])
    assert dataset.metainfo['num_identities'] == expected[1]


def test_the_line_of_a_list_that_is_not_text_is_named(root):
    edit(root / LISTS[1], 3, 'c.jpg 90\0')
    with pytest.raises(DataError, match=rf'{LISTS[1]}, line 3: has a null byte: download the list'):
        CelebAIdentity(str(root))


@pytest.mark.parametrize('split', ['train', 'val', 'test', 'trainval'])
def test_kaggles_files_are_those_of_celeba_without_identities(faces, kaggle, split):
    expected, dataset = CelebAIdentity(str(faces), split=split), CelebAIdentity(str(kaggle), split=split)
    assert len(dataset) == len(expected) > 0
    for one, other in zip(dataset, expected):
        assert os.path.realpath(one['img_path']) == os.path.realpath(other['img_path'])
        assert one['gt_score'].tolist() == other['gt_score'].tolist()
        assert (one['identity'], one['gt_identity']) == (-1, -1)
    assert dataset.metainfo['num_identities'] == 0
    assert dataset.metainfo['checksums']['images'] == expected.metainfo['checksums']['images']


def test_kaggles_files_with_a_list_of_identities(faces, kaggle, tmp_path):
    for path in kaggle.iterdir():
        (tmp_path / path.name).symlink_to(path)
    shutil.copy(faces / LISTS[1], tmp_path)
    found, expected = CelebAIdentity(str(tmp_path)).data_list, CelebAIdentity(str(faces)).data_list
    assert np.array_equal(found.identity, expected.identity)
    assert np.array_equal(found.gt_identity, expected.gt_identity)


def test_errors_in_kaggles_files_name_the_line(kaggle, tmp_path):
    shutil.copytree(kaggle, tmp_path, symlinks=True, dirs_exist_ok=True)
    edit(tmp_path / 'list_eval_partition.csv', 4, lambda line: line + '7')
    with pytest.raises(DataError, match=r'list_eval_partition\.csv, line 4: expected a file name and an integer'):
        CelebAIdentity(str(tmp_path))
    shutil.copy(kaggle / 'list_eval_partition.csv', tmp_path)
    edit(tmp_path / 'list_attr_celeba.csv', 1, lambda line: line.replace('Bald', 'bald'))
    with pytest.raises(DataError, match=r'list_attr_celeba\.csv, line 1: column 5 is bald'):
        CelebAIdentity(str(tmp_path))
    shutil.copy(kaggle / 'list_attr_celeba.csv', tmp_path)
    edit(tmp_path / 'list_attr_celeba.csv', 5, lambda line: line.replace('.jpg', 'x.jpg'))
    shutil.copy(kaggle / 'list_eval_partition.csv', tmp_path)
    edit(tmp_path / 'list_eval_partition.csv', 5, lambda line: line.replace('.jpg', 'x.jpg'))
    with pytest.raises(DataError, match=r"list_attr_celeba\.csv, line 5: '.*x\.jpg' is not in"):
        CelebAIdentity(str(tmp_path), split='trainval')


@pytest.mark.parametrize('protocol', ['paper', 'kfold'])
def test_protocols_of_identities_need_their_list(kaggle, protocol):
    with pytest.raises(DataError, match='images have no known identity, which only .*official.* allows: set it'):
        CelebAIdentity(str(kaggle), protocol=protocol)
