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


def check(folder, names=range(6), identity=(0,) * 6, split=(0,) * 6, workers=1):
    names = np.array([b'%d.png' % name for name in names])
    issues = image_checks._check_images(str(folder), names, np.array(identity), np.array(split), workers)
    return [(issue.kind, os.path.relpath(issue.path, folder), issue.found) for issue in issues]


def test_many_sizes_are_one_issue(folder):
    assert check(folder) == [(image_checks.VARIED, '.', '3 sizes, most often 8x10 (2 of 6 images)')]


def test_unusual_sizes_are_an_issue_each(folder):
    assert check(folder, (0, 1, 4)) == [(image_checks.SIZE, '4.png', 'is 7x10, most are 8x10')]


def test_identical_images_differ_in_identity_or_split(folder):
    for name in '123':
        (folder / f'{name}.png').write_bytes((folder / '0.png').read_bytes())
    assert check(folder, range(4), (0, 1, 0, 0), (0, 0, 1, 0)) == [
        (image_checks.SAME, '1.png', "is the same as '0.png' of another identity"),
        (image_checks.SAME, '2.png', "is the same as '0.png' in another split"),
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
    monkeypatch.setattr(image_checks, 'IMAGES_PER_TASK', 2)
    assert check(folder, workers=2) == alone and len(alone) == 3
