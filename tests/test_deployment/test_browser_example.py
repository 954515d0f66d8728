"""The example in docs/examples/browser, in a browser: its labels are those of the inferencer."""

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

from imcnn_plugin.apis import SIZE, TEMPLATE, FaceAttributeInferencer, align_face, read_photo
from imcnn_plugin.deployment import export_onnx

pytest.importorskip('onnxruntime')
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


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope='module')
def photos(faces):
    """50 drawn faces in photos, turned, moved and of 0.4 to 1 times the size: uint8 BGR, with their landmarks."""
    rng, found = np.random.default_rng(0), []
    for path in sorted((faces / 'img_align_celeba').iterdir())[:50]:
        turn = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), rng.uniform(-40, 40), rng.uniform(0.4, 1))
        turn[:, 2] += (rng.uniform(0, 300, 2) + (0, 60)).round()
        photo = cv2.warpAffine(read_photo(path), turn, (640, 480), borderValue=(90, 120, 60))
        found.append((photo, TEMPLATE @ turn[:, :2].T + turn[:, 2]))
    return found


@pytest.fixture(scope='module')
def checkpoint(best, photos, tmp_path_factory):
    """Thresholds in the widest gap between the probabilities of the faces, of a network that learned little."""
    results = FaceAttributeInferencer(best, device='cpu')([align_face(*photo) for photo in photos], aligned=True)
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


def test_labels_are_those_of_the_inferencer(page, site, checkpoint, photos):
    sent = [
        ['data:image/png;base64,' + base64.b64encode(png(photo)).decode(), landmarks.tolist()]
        for photo, landmarks in photos
    ]
    found = page.evaluate(PREDICT, sent)
    crops = [align_face(*photo) for photo in photos]
    inferencer = FaceAttributeInferencer(checkpoint, device='cpu')
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


def test_the_page_predicts_where_the_landmarks_are_clicked(page, checkpoint, photos):
    photo, landmarks = photos[0]
    page.locator('#photo').set_input_files(dict(name='photo.png', mimeType='image/png', buffer=png(photo)))
    page.get_by_text('Click the left eye').wait_for()
    # Clicks are rounded by the browser.
    page.evaluate("""() => {
        window.clicks = [];
        document.getElementById('canvas').addEventListener('click', (e) => window.clicks.push([e.offsetX, e.offsetY]));
    }""")
    for x, y in landmarks:
        page.locator('#canvas').click(position=dict(x=x, y=y))
    page.get_by_text('another face').wait_for()
    clicks = np.array(page.evaluate('window.clicks'))
    assert np.abs(clicks - landmarks).max() <= 1
    crop = align_face(photo, clicks - 0.5)
    [result] = FaceAttributeInferencer(checkpoint, device='cpu')(crop, aligned=True)
    expected = {name for name, values in result['faces'][0]['attributes'].items() if values['label']}
    shown = page.locator('#labels').inner_text()
    assert {word for word in shown.replace(':', ' ').split() if word in result['faces'][0]['attributes']} == expected
    assert shown.startswith(('Gender: ', 'Nose: ', 'Mouth: '))
    assert page.wrong == []


def test_what_is_missing_is_said(browser, site, checkpoint):
    page = browser.new_page()
    about = json.loads((checkpoint.with_name('site') / 'model.json').read_text())
    about['pipeline'].append(dict(type='CenterCrop', crop_size=64))
    page.route('**/model.json', lambda route: route.fulfill(json=about))
    page.goto(site)
    page.get_by_text('Choose a photo.').wait_for()
    image = np.zeros((218, 178, 3), np.uint8)
    page.locator('#photo').set_input_files(dict(name='photo.png', mimeType='image/png', buffer=png(image)))
    for x, y in TEMPLATE:
        page.locator('#canvas').click(position=dict(x=x, y=y))
    page.get_by_text('It did not work: this example has no such step: {"type":"CenterCrop"').wait_for()
    page.close()
