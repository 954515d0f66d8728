import cv2
import numpy as np
import pytest

from imcnn_plugin.apis import read_photo
from imcnn_plugin.apis.face_alignment import TEMPLATE, _fit_similarity, _rescale_points, align_face
from imcnn_plugin.errors import DataError


def similarity(angle, scale, x, y):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def move(points, matrix):
    return points @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize('angle, scale, x, y', [(0, 1, 0, 0), (0.5, 2, -30, 7), (3, 0.2, 1000, 2), (-1.6, 1, 0, -5)])
def test_finds_an_exact_similarity(angle, scale, x, y):
    matrix = similarity(angle, scale, x, y)
    assert _fit_similarity(TEMPLATE, move(TEMPLATE, matrix)) == pytest.approx(matrix, abs=1e-9)


def test_is_the_least_squares_solution():
    rng = np.random.default_rng(0)
    for _ in range(20):
        source, target = rng.normal(size=(2, 5, 2)) * 20
        # Rows of [x, -y, 1, 0] and [y, x, 0, 1] for the two coordinates.
        zero, one = np.zeros(5), np.ones(5)
        x, y = source.T
        rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
        a, b, shift_x, shift_y = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
        assert _fit_similarity(source, target) == pytest.approx(np.array([[a, -b, shift_x], [b, a, shift_y]]))


def test_a_face_in_place_stays(faces):
    image = read_photo(faces / 'img_align_celeba' / '000001.jpg')
    assert np.array_equal(align_face(image, TEMPLATE), image)


@pytest.mark.parametrize('angle, scale', [(0.6, 1), (-2.5, 1.5), (0.3, 4), (0, 6)])
def test_brings_back_a_face_that_was_moved(faces, angle, scale):
    image = read_photo(faces / 'img_align_celeba' / '000002.jpg')
    side = int(260 * scale)
    matrix = similarity(angle, scale, 0, 0)
    # The middle of the face goes to the middle of the photo.
    matrix[:, 2] = side / 2 - move(np.array([[89, 109]]), matrix)[0]
    photo = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC)
    found = align_face(photo, move(TEMPLATE, matrix))
    assert found.shape == (218, 178, 3)
    inner = (slice(30, 190), slice(20, 160))
    assert np.abs(found[inner].astype(int) - image[inner]).mean() < 3


@pytest.mark.parametrize('size', [(356, 436), (170, 208), (112, 112), (89, 109)])
def test_other_sizes_show_the_same_part(faces, size):
    image = read_photo(faces / 'img_align_celeba' / '000003.jpg')
    kind = cv2.INTER_AREA if size < (178, 218) else cv2.INTER_LINEAR
    found, expected = align_face(image, TEMPLATE, size), cv2.resize(image, size, interpolation=kind)
    assert found.shape == expected.shape
    assert np.abs(found[1:-1, 1:-1].astype(int) - expected[1:-1, 1:-1]).mean() < 2


def test_shrinking_averages():
    # A checkerboard of single pixels, of which a warp alone would take some and leave out others.
    rows, columns = np.indices((1200, 1000))
    photo = ((rows + columns) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    found = align_face(photo, TEMPLATE * 5)
    assert np.abs(found[5:-5, 5:-5].astype(int) - 127).max() <= 5


def test_outside_of_the_photo_its_border_goes_on():
    photo = np.zeros((218, 178, 3), np.uint8)
    photo[0], photo[-1] = (10, 20, 30), (40, 50, 60)
    found = align_face(photo, TEMPLATE - (0, 50))
    assert (found[:50] == (10, 20, 30)).all()
    found = align_face(photo, TEMPLATE + (0, 50))
    assert (found[-50:] == (40, 50, 60)).all()


@pytest.mark.parametrize('landmarks', [np.full((5, 2), 7), np.full((5, 2), np.nan)])
def test_landmarks_without_a_direction_are_refused(landmarks):
    with pytest.raises(DataError, match='a face cannot be aligned by the landmarks'):
        align_face(np.zeros((20, 20, 3), np.uint8), landmarks)


def test_points_keep_their_place_when_an_image_is_resized():
    # The centre of the top left pixel, and the edges of the image.
    points = np.array([[0, 0], [-0.5, -0.5], [7.5, 3.5]])
    assert _rescale_points(points, (4, 8, 3), (8, 32, 3)) == pytest.approx(
        np.array([[1.5, 0.5], [-0.5, -0.5], [31.5, 7.5]])
    )
