import os

import cv2
import numpy as np
import pytest

from imcnn_plugin.datachecks import image_checks


@pytest.fixture
def folder(tmp_path):
    """Six images of three sizes."""
    for i, width in enumerate((8, 8, 9, 9, 7, 7)):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((10, width, 3), 40 * i, np.uint8))
    return tmp_path


def check(folder, names=range(6), identity=(0,) * 6, partition=(0,) * 6, workers=1):
    names = np.array([b'%d.png' % name for name in names])
    problems = image_checks.check_images(str(folder), names, np.array(identity), np.array(partition), workers)
    return [(problem.kind, os.path.relpath(problem.path, folder), problem.found) for problem in problems]


def test_sizes_that_vary_are_one_problem(folder):
    assert check(folder) == [(image_checks.VARIED, '.', '3 sizes, most often 8x10 (2 of 6 images)')]


def test_a_size_that_few_have_is_a_problem_of_each(folder):
    assert check(folder, (0, 1, 4)) == [(image_checks.SIZE, '4.png', 'is 7x10, most are 8x10')]


def test_the_same_image_says_of_whom_it_is(folder):
    for name in '123':
        (folder / f'{name}.png').write_bytes((folder / '0.png').read_bytes())
    assert check(folder, range(4), (0, 1, 0, 0), (0, 0, 1, 0)) == [
        (image_checks.SAME, '1.png', "is the same as '0.png' of another person"),
        (image_checks.SAME, '2.png', "is the same as '0.png' in another part of the split"),
        (image_checks.SAME, '3.png', "is the same as '0.png'"),
    ]


def test_an_image_that_cannot_be_opened(folder):
    (folder / '0.png').unlink()
    assert check(folder, (0, 1)) == [(image_checks.NO_IMAGE, '0.png', 'cannot be read (No such file or directory)')]


def test_no_image_at_all(folder):
    assert check(folder, ()) == []


def test_several_processes_find_the_same(folder, monkeypatch):
    (folder / '3.png').write_bytes(b'')
    (folder / '5.png').write_bytes((folder / '4.png').read_bytes())
    alone = check(folder)
    monkeypatch.setattr(image_checks, 'ROWS_A_TASK', 2)
    assert check(folder, workers=2) == alone and len(alone) == 3
