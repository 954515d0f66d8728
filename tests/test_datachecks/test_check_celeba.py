import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datachecks.check_celeba import check_celeba
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
    """A set that may be changed, its lists as lists of fields."""

    def __init__(self, root):
        self.root = Path(root)
        self.images = self.root / IMAGES
        self.lists = {name: [line.split() for line in (self.root / name).read_text().splitlines()] for name in LISTS}
        self.attributes, self.identity, self.parts = self.lists.values()

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
        """The first image with these labels of a person of whom there are more, all of them alike in Male."""
        persons, male = dict(self.identity), {}
        for row in self.attributes[2:]:
            male.setdefault(persons[row[0]], []).append(self.label(row, 'Male'))
        for row in self.attributes[2:]:
            same = male[persons[row[0]]]
            if len(same) > 2 and len(set(same)) == 1 and all(self.label(row, k) == v for k, v in labels.items()):
                return row
        raise AssertionError(labels)


PLANTS = {}


def plant(kind, refused=True):
    """A fault: what it is, and whether a data set refuses it. The function gives the file and line."""

    def register(function):
        PLANTS[function.__name__] = (function, kind, refused)
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
def repeated_part(copy):
    copy.parts.insert(5, copy.parts[3])
    return f'{PARTITION_LIST}, line 6'


@plant('file names that leave the folder of images')
def way_up(copy):
    copy.append(f'../{IMAGES}/{copy.attributes[4][0]}')
    return f'{ATTRIBUTE_LIST}, line {len(copy.attributes)}'


@plant('file names that leave the folder of images')
def absolute_path(copy):
    copy.identity.append(['/etc/passwd', '7'])
    return f'{IDENTITY_LIST}, line {len(copy.identity)}'


@plant('wrong lines in the lists of identities and parts')
def wrong_identity(copy):
    copy.identity.insert(3, ['x.jpg', 'seven'])
    return f'{IDENTITY_LIST}, line 4'


@plant('wrong lines in the lists of identities and parts')
def wrong_part(copy):
    copy.parts.insert(2, ['x.jpg', '3'])
    return f'{PARTITION_LIST}, line 3'


@plant('images that another list leaves out')
def image_without_identity(copy):
    del copy.identity[0]
    return IDENTITY_LIST


@plant('images of a list without attributes', refused=False)
def image_without_attributes(copy):
    copy.parts.append(['zz.jpg', '0'])
    return f'{PARTITION_LIST}, line {len(copy.parts)}'


@plant('lists that are missing')
def missing_list(copy):
    del copy.lists[PARTITION_LIST]
    (copy.root / PARTITION_LIST).unlink()
    return PARTITION_LIST


@plant('HTML pages in place of files')
def page_as_list(copy):
    del copy.lists[IDENTITY_LIST]
    (copy.root / IDENTITY_LIST).write_bytes(HTML)
    return IDENTITY_LIST


@plant('HTML pages in place of files')
def page_as_zip(copy):
    shutil.rmtree(copy.images)
    (copy.root / f'{IMAGES}.zip').write_bytes(HTML)
    return f'{IMAGES}.zip'


@plant('archives that are not unpacked')
def zip_in_place_of_folder(copy):
    shutil.make_archive(copy.images, 'zip', copy.root, LISTS[0])
    shutil.rmtree(copy.images)
    return f'{IMAGES}.zip'


@plant('no folder of images')
def folder_in_folder(copy):
    copy.images.rename(copy.root / 'inner')
    copy.images.mkdir()
    (copy.root / 'inner').rename(copy.images / IMAGES)
    return IMAGES


@plant('images that are not on disk')
def missing_image(copy):
    parts = dict(copy.parts)
    place = next(i for i, row in enumerate(copy.attributes[2:]) if parts[row[0]] == '0')
    (copy.images / copy.attributes[place + 2][0]).unlink()
    return f'{ATTRIBUTE_LIST}, line {place + 3}'


@plant('files in the folder of images that no list names', refused=False)
def left_over_image(copy):
    (copy.images / 'Thumbs.db').write_bytes(b'x')
    return IMAGES


@plant('HTML pages in place of files', refused=False)
def page_as_image(copy):
    path = copy.images / copy.attributes[5][0]
    path.write_bytes(HTML)
    return path


@plant('empty image files', refused=False)
def empty_image(copy):
    path = copy.images / copy.attributes[6][0]
    path.write_bytes(b'')
    return path


@plant('images that are cut off or damaged', refused=False)
def cut_off_image(copy):
    path = copy.images / copy.attributes[7][0]
    path.write_bytes(path.read_bytes()[:-300])
    return path


@plant('files that are no image', refused=False)
def no_image(copy):
    path = copy.images / copy.attributes[8][0]
    path.write_bytes(b'not an image')
    return path


@plant('images of another size than most', refused=False)
def other_size(copy):
    path = copy.images / copy.attributes[9][0]
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (30, 31)))
    return path


@plant('the same image under two names', refused=False)
def same_image(copy):
    path = copy.images / copy.attributes[10][0]
    shutil.copy(copy.images / copy.attributes[2][0], path)
    return path


@plant('persons in more than one part of the split')
def person_in_two_parts(copy):
    persons = dict(copy.identity)
    person = persons[copy.row_with()[0]]
    place = max(i for i, row in enumerate(copy.parts) if persons[row[0]] == person)
    copy.parts[place][1] = '1' if copy.parts[place][1] == '0' else '0'
    return f'{PARTITION_LIST}, line {place + 1}'


@plant('attributes that are the same on all images', refused=False)
def constant_attribute(copy):
    for row in copy.attributes[2:]:
        copy.set_label(row, 'Young', '1')
    return ATTRIBUTE_LIST


@plant('persons who are Male on some images and not on others', refused=False)
def person_both_ways(copy):
    row = copy.row_with(Male='-1')
    copy.set_label(row, 'Male', '1')
    return f'{ATTRIBUTE_LIST}, line {copy.attributes.index(row) + 1}'


@plant('labels that exclude each other: No_Beard with Goatee', refused=False)
def impossible_labels(copy):
    row = copy.row_with(Male='1', No_Beard='1', Goatee='-1')
    copy.set_label(row, 'Goatee', '1')
    return f'{ATTRIBUTE_LIST}, line {copy.attributes.index(row) + 1}'


def check(root):
    """Problems by kind, place in the set and what was found; lines may shift."""
    return {
        (problem.kind.name, os.path.relpath(problem.path, root), problem.found.replace(str(root), '')): problem
        for problem in check_celeba(root, workers=1).problems
    }


@pytest.fixture(scope='module')
def clean(faces):
    return check(faces).keys()


@pytest.mark.parametrize('name', PLANTS)
def test_every_planted_fault_is_found_and_nothing_else(faces, clean, tmp_path, name):
    function, kind, refused = PLANTS[name]
    root = shutil.copytree(faces, tmp_path / 'faces')
    copy = Copy(root)
    where = function(copy)
    copy.save()
    problems = {key: problem for key, problem in check(root).items() if key not in clean}
    assert {kind for kind, _, _ in problems} == {kind}
    problem = next(iter(problems.values()))
    assert problem.where == str(root / where)
    if not refused:
        CelebAIdentity(str(root))
    elif problem.kind.is_error:
        with pytest.raises(DataError) as error:
            CelebAIdentity(str(root))
        assert str(error.value).startswith(f'{problem.where}: {problem.found}')
        assert str(error.value).endswith(problem.kind.advice) and '\n' not in str(error.value)
    else:
        with pytest.raises(DataError, match='is in both'):
            CelebAIdentity(str(root))


def damaged(content, rng):
    """Some bytes changed, left out, put in or repeated, or the rest cut off."""
    start = int(rng.integers(len(content)))
    end = start + int(rng.integers(1, 200))
    before, piece, after = content[:start], content[start:end], content[end:]
    return (
        before + [rng.bytes(3) + after, after, piece + rng.bytes(3) + after, 2 * piece + after, b''][rng.integers(5)]
    )


@pytest.mark.parametrize('name', LISTS)
def test_a_data_set_refuses_what_is_an_error_here(faces, tmp_path, name):
    for file in LISTS:
        shutil.copy(faces / file, tmp_path)
    (tmp_path / IMAGES).symlink_to(faces / IMAGES)
    content, rng = (faces / name).read_bytes(), np.random.default_rng(0)
    for _ in range(40):
        (tmp_path / name).write_bytes(damaged(content, rng))
        errors = [problem for problem in check_celeba(tmp_path, lists_only=True).problems if problem.kind.is_error]
        if not errors:
            CelebAIdentity(str(tmp_path), protocol='kfold', num_folds=2)
            continue
        with pytest.raises(DataError) as refused:
            CelebAIdentity(str(tmp_path), protocol='kfold', num_folds=2)
        assert str(refused.value).startswith(f'{errors[0].where}: {errors[0].found}')
