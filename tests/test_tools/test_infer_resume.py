"""Tables of photos that grow, and runs that go on after they were stopped."""

import csv
import json
import resource
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from commands import start

from imcnn_plugin.apis import Album, FaceAttributeInferencer, infer_photos

REPOSITORY = Path(__file__).parents[2]
TABLES = ('predictions.csv', 'probabilities.csv', 'predictions.json')


def contents(folder):
    return {name: (folder / name).read_bytes() for name in TABLES}


def read(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def inferencer(checkpoint):
    return FaceAttributeInferencer(checkpoint, device='cpu')


@pytest.fixture
def people(faces, tmp_path):
    """Aligned faces of three people: 3, 1 and 4, with strange names, one of which cannot be read."""
    root = tmp_path / 'people'
    for number in range(8):
        path = root / 'aabbbbcb'[number] / f'ö, "{number}".jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(faces / 'img_align_celeba' / f'{number + 1:06}.jpg', path)
    path.write_text('no picture')
    return [str(path) for path in sorted(root.rglob('*.jpg'))]


@pytest.fixture
def infer(inferencer, tmp_path):
    def infer(photos, name='out', **options):
        options = dict(aligned=True, batch_size=3) | options
        return infer_photos(inferencer, photos, tmp_path / name, 'model.pth', **options)

    return infer


def test_a_run_that_is_stopped_goes_on(run, checkpoint, faces, tmp_path):
    photos, out = tmp_path / 'photos', tmp_path / 'out'
    for folder in 'abcdef':
        shutil.copytree(faces / 'img_align_celeba', photos / folder)
    options = [photos, '--out', out, '--aligned']
    command = ['tools/infer.py', checkpoint, *options, '--device', 'cpu', '--batch-size', 1]
    before = []
    for number, status in ((signal.SIGKILL, -9), (signal.SIGTERM, 143)):
        with start(*command) as process:
            while not (out / TABLES[0]).is_file() or len(read(out / TABLES[0])) < len(before) + 20:
                assert process.poll() is None, process.stdout.read()
                time.sleep(0.01)
            process.send_signal(number)
            assert process.wait() == status
            said = process.stdout.read()
        assert 'Traceback' not in said and ('the same command goes on' in said) == (number == signal.SIGTERM)
        done = json.loads((out / TABLES[2]).read_text())['photos']
        assert len(before) + 15 < len(done) < 480 and done[: len(before)] == before
        assert {len(read(out / name)) - len(done) for name in TABLES[:2]} <= {0, 1}
        before = done
    status, said = run(*options)
    assert status == 0 and f'480 photos ({len(done)} of them before), 480 faces' in said
    stored = json.loads((out / TABLES[2]).read_text())['photos']
    expected = [str(path) for path in sorted(photos.rglob('*.jpg'))]
    assert [photo['path'] for photo in stored] == expected and stored[: len(done)] == done
    for name in TABLES[:2]:
        assert [row['file'] for row in read(out / name)] == expected


def test_a_cut_table_is_completed(infer, people, tmp_path):
    infer(people)
    expected = contents(tmp_path / 'out')
    lines = expected[TABLES[2]].splitlines(keepends=True)
    last = sum(map(len, lines[:-3]))
    for cut in (len(lines[0]), len(lines[0]) + 1, last - 1, last, last + 1, last + 2, last + 900, last + 901, -3, -1):
        (tmp_path / 'out' / TABLES[2]).write_bytes(expected[TABLES[2]][:cut])
        # The crash of a machine may leave this.
        (tmp_path / 'out' / TABLES[0]).write_bytes(expected[TABLES[0]][:-40] + b'\0' * 9)
        counts = infer(people)
        whole = sum(line.rstrip(b',\n') in expected[TABLES[2]][:cut] for line in lines[1:-1])
        assert counts['before'] == whole and (counts['photos'], counts['faces'], counts['failed']) == (8, 7, 1)
        assert contents(tmp_path / 'out') == expected
    # All is done.
    assert infer(people)['before'] == 8 and contents(tmp_path / 'out') == expected


def test_the_photos_of_a_person_are_pooled_together_also_by_a_run_that_goes_on(
    infer, inferencer, people, album, tmp_path
):
    options = dict(album=Album.load(album), person_by='folder', draw=True)
    infer(people, **options)
    expected, drawn = contents(tmp_path / 'out'), sorted((tmp_path / 'out' / 'drawn').iterdir())
    lines = expected[TABLES[2]].splitlines(keepends=True)
    assert len(drawn) == 7
    kept = []
    for number in range(1, 9):
        (tmp_path / 'out' / TABLES[2]).write_bytes(b''.join(lines[:number]))
        (tmp_path / 'out' / 'drawn' / '000008_of before.jpg').touch()
        kept.append(infer(people, **options)['before'])
        assert contents(tmp_path / 'out') == expected
        assert sorted((tmp_path / 'out' / 'drawn').iterdir()) == drawn
    # 2 photos of a, 5 of b, 1 of c.
    assert kept == [0, 0, 2, 2, 2, 2, 2, 7]


def test_a_new_photo_of_a_person_is_pooled_with_those_before(infer, people, album, tmp_path):
    options = dict(album=Album.load(album), person_by='folder')
    infer(people[:1] + people[2:], **options)
    assert infer(people, **options)['before'] == 0
    infer(people, 'other', **options)
    assert contents(tmp_path / 'out') == contents(tmp_path / 'other')


def test_photos_that_are_added_are_appended_and_given_twice_are_there_twice(infer, people, tmp_path):
    infer([people[3], people[3], people[5]])
    counts = infer([people[0], people[3], people[5], people[3], people[0]])
    assert counts['before'] == 3 and counts['photos'] == 5
    files = [row['file'] for row in read(tmp_path / 'out' / TABLES[0])]
    assert files == [people[i] for i in (3, 3, 5, 0, 0)]


@pytest.fixture
def used(infer, people, tmp_path):
    infer(people)
    return tmp_path / 'out'


def refused(run, folder, *arguments):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    status, said = run(*arguments, '--out', folder)
    assert status == 2 and said.count('\n') == 1 and said.endswith('(--overwrite)\n')
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name: content for name, content in after.items() if content} == before
    return said


@pytest.mark.parametrize(
    'options, message',
    [
        (['--aligned', '--consistent'], 'consistent False there and True now'),
        (['--min-face', '50'], 'min_face None there and 50.0 now'),
        (['--aligned', '--draw'], 'draw False there and True now'),
    ],
)
def test_a_run_with_other_options_is_rejected(run, used, people, options, message):
    assert message in refused(run, used, *people, *options)


def test_other_weights_thresholds_and_people_are_rejected(run, used, people, checkpoint, album, tmp_path):
    for name, message in dict(thresholds='calibration', weight='weights').items():
        stored = torch.load(checkpoint)
        key = next(key for key in stored['state_dict'] if key.endswith(name))
        stored['state_dict'][key] += 0.1
        torch.save(stored, tmp_path / 'other.pth')
        said = refused(partial(run, checkpoint=tmp_path / 'other.pth'), used, *people, '--aligned')
        assert f'({message} ' in said and said.count(' there and ') == 1
    said = refused(run, used, *people, '--aligned', '--person-by', 'folder', '--album', album)
    assert "person_by None there and 'folder' now; album None there and '" in said


def test_results_of_others_are_rejected(run, used, people):
    stored = json.loads((used / TABLES[2]).read_text())
    del stored['settings']
    (used / TABLES[2]).write_text(json.dumps(stored))
    assert 'is not of this version' in refused(run, used, *people, '--aligned')
    (used / TABLES[2]).unlink()
    assert 'has tables without predictions.json' in refused(run, used, *people, '--aligned')
    assert run(*people[:3], '--aligned', '--out', used, '--overwrite')[0] == 0
    assert len(read(used / TABLES[0])) == 3


def test_two_processes_do_not_write_to_one_folder(run, infer, people, inferencer, tmp_path, monkeypatch):
    predict, said = type(inferencer)._results, []

    def run_another(self, *arguments):
        monkeypatch.setattr(type(inferencer), '_results', predict)
        said.append(run(*people, '--aligned', '--out', tmp_path / 'out', '--overwrite'))
        return predict(self, *arguments)

    for _ in ('a new folder', 'a used one'):
        monkeypatch.setattr(type(inferencer), '_results', run_another)
        infer(people, overwrite=True)
    assert [status for status, _ in said] == [2, 2] and 'another process writes its results' in said[0][1]
    assert len(read(tmp_path / 'out' / TABLES[0])) == 8


def test_a_disk_that_becomes_full_loses_nothing(run, infer, people, tmp_path):
    infer(people, 'whole')
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, limits[1]))
    try:
        status, said = run(*people, '--aligned', '--batch-size', 3, '--out', tmp_path / 'out')
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 2 and 'cannot be written (File too large): the same command goes on' in said
    assert 0 < infer(people)['before'] < 8
    assert contents(tmp_path / 'out')[TABLES[0]] == contents(tmp_path / 'whole')[TABLES[0]]
