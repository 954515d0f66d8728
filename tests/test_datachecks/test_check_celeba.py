import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datachecks import check_celeba
from imcnn_plugin.datasets import CelebAIdentity
from imcnn_plugin.errors import DataError

ATTRIBUTE_LIST, IDENTITY_LIST, PARTITION_LIST = LISTS = (
    'list_attr_celeba.txt',
    'identity_CelebA.txt',
    'list_eval_partition.txt',
)
IMAGES = 'img_align_celeba'
HTML = b'\n<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>'


class Copy:
    """A dataset to damage, with its lists as lists of fields."""

    def __init__(self, root):
        self.root = Path(root)
        self.images = self.root / IMAGES
        self.lists = {name: [line.split() for line in (self.root / name).read_text().splitlines()] for name in LISTS}
        self.attributes, self.identity, self.partition = self.lists.values()

    def save(self):
        for name, rows in self.lists.items():
            (self.root / name).write_text(''.join(' '.join(row) + '\n' for row in rows))

    def append(self, name):
        """A line for another name, with the labels of the first image."""
        self.attributes.append([name, *self.attributes[2][1:]])
        self.attributes[0] = [str(len(self.attributes) - 2)]

    def label(self, row, attribute):
        return row[1 + ATTRIBUTES.index(attribute)]

    def set_label(self, row, attribute, value):
        row[1 + ATTRIBUTES.index(attribute)] = value

    def row_with(self, **labels):
        """The first image with these labels whose identity has more than two images, all with the same label Male."""
        identities, male = dict(self.identity), {}
        for row in self.attributes[2:]:
            male.setdefault(identities[row[0]], []).append(self.label(row, 'Male'))
        for row in self.attributes[2:]:
            same = male[identities[row[0]]]
            if len(same) > 2 and len(set(same)) == 1 and all(self.label(row, k) == v for k, v in labels.items()):
                return row
        raise AssertionError(labels)


PLANTS = {}


def plant(kind, rejected=True):
    """Registers a fault of a kind, and whether a dataset rejects it. The function returns the file and line."""

    def register(function):
        PLANTS[function.__name__] = (function, kind, rejected)
        return function

    return register


@plant('wrong attribute names')
def unknown_attribute(copy):
    copy.attributes[1][4] = 'Bold'
    return f'{ATTRIBUTE_LIST}, line 2'


@plant('wrong attribute names')
def order_of_columns(copy):
    copy.attributes[1][6:8] = copy.attributes[1][7:5:-1]
    return f'{ATTRIBUTE_LIST}, line 2'


@plant('wrong attribute names')
def missing_attribute(copy):
    del copy.attributes[1][-1]
    return f'{ATTRIBUTE_LIST}, line 2'


@plant('wrong attribute names')
def no_header(copy):
    del copy.attributes[1]
    return f'{ATTRIBUTE_LIST}, line 2'


@plant('wrong number of images in line 1')
def no_count(copy):
    del copy.attributes[0]
    return f'{ATTRIBUTE_LIST}, line 1'


@plant('wrong number of images in line 1')
def wrong_count(copy):
    copy.attributes[0] = ['99999']
    return f'{ATTRIBUTE_LIST}, line 1'


@plant('labels 0 for no')
def labels_0_and_1(copy):
    copy.attributes[2:] = [[row[0], *(label.replace('-1', '0') for label in row[1:])] for row in copy.attributes[2:]]
    return f'{ATTRIBUTE_LIST}, line 3'


@plant('labels that are neither 1 nor -1')
def wrong_label(copy):
    copy.attributes[8][40] = '2'
    return f'{ATTRIBUTE_LIST}, line 9'


@plant('lines of wrong length')
def short_line(copy):
    copy.attributes.insert(9, copy.attributes[9][:-1])
    copy.attributes[0] = [str(len(copy.attributes) - 2)]
    return f'{ATTRIBUTE_LIST}, line 10'


@plant('lines of wrong length')
def long_line(copy):
    copy.attributes.insert(10, [*copy.attributes[10], '-1'])
    copy.attributes[0] = [str(len(copy.attributes) - 2)]
    return f'{ATTRIBUTE_LIST}, line 11'


@plant('images that a list has twice')
def repeated_image(copy):
    copy.append(copy.attributes[4][0])
    return f'{ATTRIBUTE_LIST}, line {len(copy.attributes)}'


@plant('images that a list has twice')
def repeated_split(copy):
    copy.partition.insert(5, copy.partition[3])
    return f'{PARTITION_LIST}, line 6'


@plant('file names that leave the image folder')
def parent_folder(copy):
    copy.append(f'../{IMAGES}/{copy.attributes[4][0]}')
    return f'{ATTRIBUTE_LIST}, line {len(copy.attributes)}'


@plant('file names that leave the image folder')
def absolute_path(copy):
    copy.identity.append(['/etc/passwd', '7'])
    return f'{IDENTITY_LIST}, line {len(copy.identity)}'


@plant('wrong lines in the lists of identities and splits')
def wrong_identity(copy):
    copy.identity.insert(3, ['x.jpg', 'seven'])
    return f'{IDENTITY_LIST}, line 4'


@plant('wrong lines in the lists of identities and splits')
def wrong_split(copy):
    copy.partition.insert(2, ['x.jpg', '3'])
    return f'{PARTITION_LIST}, line 3'


@plant('images that another list lacks')
def image_without_identity(copy):
    del copy.identity[0]
    return IDENTITY_LIST


@plant('images without attributes', rejected=False)
def image_without_attributes(copy):
    copy.partition.append(['zz.jpg', '0'])
    return f'{PARTITION_LIST}, line {len(copy.partition)}'


@plant('lists that are missing')
def missing_list(copy):
    del copy.lists[PARTITION_LIST]
    (copy.root / PARTITION_LIST).unlink()
    return PARTITION_LIST


@plant('HTML pages instead of files')
def page_as_list(copy):
    del copy.lists[IDENTITY_LIST]
    (copy.root / IDENTITY_LIST).write_bytes(HTML)
    return IDENTITY_LIST


@plant('HTML pages instead of files')
def page_as_zip(copy):
    shutil.rmtree(copy.images)
    (copy.root / f'{IMAGES}.zip').write_bytes(HTML)
    return f'{IMAGES}.zip'


@plant('archives that are not unpacked')
def zip_in_place_of_folder(copy):
    shutil.make_archive(copy.images, 'zip', copy.root, LISTS[0])
    shutil.rmtree(copy.images)
    return f'{IMAGES}.zip'


@plant('images that are not on disk')
def missing_image(copy):
    split = dict(copy.partition)
    place = next(i for i, row in enumerate(copy.attributes[2:]) if split[row[0]] == '0')
    (copy.images / copy.attributes[place + 2][0]).unlink()
    return f'{ATTRIBUTE_LIST}, line {place + 3}'


@plant('files in the image folder that are in no list', rejected=False)
def unused_file(copy):
    (copy.images / 'Thumbs.db').write_bytes(b'x')
    return IMAGES


@plant('HTML pages instead of files', rejected=False)
def page_as_image(copy):
    path = copy.images / copy.attributes[5][0]
    path.write_bytes(HTML)
    return path


@plant('empty image files', rejected=False)
def empty_image(copy):
    path = copy.images / copy.attributes[6][0]
    path.write_bytes(b'')
    return path


@plant('truncated or damaged images', rejected=False)
def truncated_image(copy):
    path = copy.images / copy.attributes[7][0]
    path.write_bytes(path.read_bytes()[:-300])
    return path


@plant('files that are not images', rejected=False)
def not_an_image(copy):
    path = copy.images / copy.attributes[8][0]
    path.write_bytes(b'not an image')
    return path


@plant('images of a different size than most', rejected=False)
def other_size(copy):
    path = copy.images / copy.attributes[9][0]
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (30, 31)))
    return path


@plant('identical images under two names', rejected=False)
def same_image(copy):
    path = copy.images / copy.attributes[10][0]
    shutil.copy(copy.images / copy.attributes[2][0], path)
    return path


@plant('identities in more than one split')
def identity_in_two_splits(copy):
    identities = dict(copy.identity)
    identity = identities[copy.row_with()[0]]
    place = max(i for i, row in enumerate(copy.partition) if identities[row[0]] == identity)
    copy.partition[place][1] = '1' if copy.partition[place][1] == '0' else '0'
    return f'{PARTITION_LIST}, line {place + 1}'


@plant('attributes with the same label on all images', rejected=False)
def constant_attribute(copy):
    for row in copy.attributes[2:]:
        copy.set_label(row, 'Young', '1')
    return ATTRIBUTE_LIST


@plant('identities labelled both Male and not Male', rejected=False)
def inconsistent_identity(copy):
    row = copy.row_with(Male='-1')
    copy.set_label(row, 'Male', '1')
    return f'{ATTRIBUTE_LIST}, line {copy.attributes.index(row) + 1}'


@plant('conflicting labels: No_Beard with Goatee', rejected=False)
def conflicting_labels(copy):
    row = copy.row_with(Male='1', No_Beard='1', Goatee='-1')
    copy.set_label(row, 'Goatee', '1')
    return f'{ATTRIBUTE_LIST}, line {copy.attributes.index(row) + 1}'


def check(root):
    """Issues by kind, place in the dataset and what was found; lines may shift."""
    return {
        (issue.kind.name, os.path.relpath(issue.path, root), issue.found.replace(str(root), '')): issue
        for issue in check_celeba(root, workers=1).issues
    }


@pytest.fixture(scope='module')
def clean(faces):
    return check(faces).keys()


@pytest.mark.parametrize('name', PLANTS)
def test_every_planted_fault_is_found_and_nothing_else(faces, clean, tmp_path, name):
    function, kind, rejected = PLANTS[name]
    root = shutil.copytree(faces, tmp_path / 'faces')
    copy = Copy(root)
    where = function(copy)
    copy.save()
    issues = {key: issue for key, issue in check(root).items() if key not in clean}
    assert {kind for kind, _, _ in issues} == {kind}
    issue = next(iter(issues.values()))
    assert issue.where == str(root / where)
    if not rejected:
        CelebAIdentity(str(root))
    elif issue.kind.is_error:
        with pytest.raises(DataError) as error:
            CelebAIdentity(str(root))
        assert str(error.value).startswith(f'{issue.where}: {issue.found}')
        assert str(error.value).endswith(issue.kind.advice) and '\n' not in str(error.value)
    else:
        with pytest.raises(DataError, match='is in both'):
            CelebAIdentity(str(root))


def damage(content, rng):
    """Changes, removes, inserts or repeats some bytes, or truncates the file."""
    start = int(rng.integers(len(content)))
    end = start + int(rng.integers(1, 200))
    before, piece, after = content[:start], content[start:end], content[end:]
    return (
        before + [rng.bytes(3) + after, after, piece + rng.bytes(3) + after, 2 * piece + after, b''][rng.integers(5)]
    )


@pytest.mark.parametrize('name', LISTS)
def test_datasets_reject_the_first_error(faces, tmp_path, name):
    for file in LISTS:
        shutil.copy(faces / file, tmp_path)
    (tmp_path / IMAGES).symlink_to(faces / IMAGES)
    content, rng = (faces / name).read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        (tmp_path / name).write_bytes(damage(content, rng))
        errors = [issue for issue in check_celeba(tmp_path, lists_only=True).issues if issue.kind.is_error]
        if not errors:
            CelebAIdentity(str(tmp_path), protocol='kfold', num_folds=2)
            continue
        with pytest.raises(DataError) as rejected:
            CelebAIdentity(str(tmp_path), protocol='kfold', num_folds=2)
        assert str(rejected.value).startswith(f'{errors[0].where}: {errors[0].found}')


def test_kaggles_files_lack_the_identities_only(kaggle, faces):
    result, expected = check_celeba(kaggle), check_celeba(faces)
    assert (result.images, result.splits) == (expected.images, expected.splits)
    assert result.not_checked == ['identities'] and result.count(is_error=True) == 0
    assert [issue.path for issue in result.issues if issue.kind.name == 'no list of identities'] == [
        f'{kaggle}/{IDENTITY_LIST}'
    ]
