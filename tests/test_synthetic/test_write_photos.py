import json

import cv2
import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import DataError
from imcnn_plugin.synthetic import write_photos
from imcnn_plugin.synthetic.draw_face import _cut_out_face, _draw_face
from imcnn_plugin.synthetic.sampling import _image_rng, _sample_identity, _sample_image


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('photos') / 'new'
    write_photos(folder, photos=15, seed=2, jobs=1)
    return folder


def read_bytes(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_layout(folder):
    files = []
    for split, count in dict(train=12, val=3).items():
        coco = json.loads((folder / f'{split}.json').read_text())
        assert coco['categories'] == [dict(id=1, name='face', attributes=list(ATTRIBUTES))]
        assert len(coco['images']) == count
        files += [image['file_name'] for image in coco['images']]
        for annotation in coco['annotations']:
            left, top, width, height = annotation['bbox']
            assert 0 <= left < left + width <= 320 and 0 <= top < top + height <= 240
            # A head is taller than wide.
            assert 25 < width < height < 130
            assert len(annotation['attributes']) == 40 and set(annotation['attributes']) <= {0, 1}
    assert sorted(str(path.relative_to(folder)) for path in folder.glob('photos/*')) == sorted(files)
    assert all(cv2.imread(str(folder / file)).shape == (240, 320, 3) for file in files)


def test_same_seed_same_bytes(folder, tmp_path):
    write_photos(tmp_path / 'parallel', photos=15, seed=2, jobs=2)
    write_photos(tmp_path / 'other', photos=15, seed=3, jobs=1)
    assert read_bytes(tmp_path / 'parallel') == read_bytes(folder)
    assert read_bytes(tmp_path / 'other') != read_bytes(folder)


def test_cut_out_person_is_the_drawn_one_and_the_box_is_that_of_the_head():
    traits, stable = _sample_identity(0, 1)
    has = {**_sample_image(traits, stable, _image_rng(0, 1, 0)), 'Bald': True, 'Wearing_Hat': False, 'Blurry': False}
    drawn = _draw_face(traits, has, _image_rng(0, 1, 0)).astype(float)
    image, opacity, box = _cut_out_face(traits, has, _image_rng(0, 1, 0))
    person = opacity[..., 0] > 254
    # All but light and noise.
    ratio = drawn[person].mean() / image[person].mean()
    assert 0.85 < ratio < 1.15
    assert np.corrcoef(drawn[person].mean(1), image[person].mean(1))[0, 1] > 0.97
    # Above the crown of a bald head there is nobody, below it there is.
    left, top, right, bottom = np.round(box).astype(int)
    middle = (left + right) // 2
    assert not opacity[: top - 3, left:right].any() and person[top + 3 : bottom, middle].all()


def test_a_folder_that_is_not_empty_is_left_alone(folder):
    before = read_bytes(folder)
    with pytest.raises(DataError, match=r'new is not empty \(3 entries\)'):
        write_photos(folder, photos=1)
    with pytest.raises(DataError, match='photos is 0'):
        write_photos(folder.parent / 'none', photos=0)
    assert read_bytes(folder) == before and [path.name for path in folder.parent.iterdir()] == ['new']
