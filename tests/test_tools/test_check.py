"""``tools/data/check.py``, run as a user runs it."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'data' / 'check.py'


@pytest.fixture
def root(faces, tmp_path):
    return shutil.copytree(faces, tmp_path / 'faces')


def test_a_damaged_dataset(root, tmp_path):
    # A name that is not UTF-8 and would make a terminal ring.
    for path in root.glob('*.txt'):
        path.write_bytes(path.read_bytes().replace(b'000001.jpg', b'\xff\x07.jpg'))
    names = ['\udcff\x07.jpg', *(f'{number:06}.jpg' for number in range(2, 7))]
    (root / 'img_align_celeba' / '000001.jpg').rename(root / 'img_align_celeba' / names[0])
    for name in names[:4]:
        (root / 'img_align_celeba' / name).write_bytes(b'')
    (root / 'img_align_celeba' / names[5]).unlink()
    for name in 'ab':
        (root / 'img_align_celeba' / name).touch()
    command = [sys.executable, TOOL, root, '--jobs', '1', '--out', tmp_path / 'out' / 'problems.json']
    process = subprocess.run(command, capture_output=True, text=True, timeout=300)
    output = process.stdout
    assert process.returncode == 1 and process.stderr == ''
    assert 'error: images that are not on disk: 1\n' in output
    assert f'\n  list_attr_celeba.txt, line 8: {names[5]!r} is not in' in output
    assert output.index('warning: files in the image folder') > output.index('error: empty image')
    empty = output[output.index('error: empty image files: 4\n') :].splitlines()
    assert empty[2:6] == [
        *(f'  img_align_celeba/{name}: has no bytes' for name in (r'\udcff\x07.jpg', *names[1:3])),
        '  ... and 1 more (--lines 0 prints all)',
    ]
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['problems.json']
    written = json.loads((tmp_path / 'out' / 'problems.json').read_text())
    assert f'\n5 errors, {written["warnings"]} warnings: training would stop' in output
    assert written['errors'] == 5 and written['images'] == 80
    assert sum(kind['count'] for kind in written['kinds']) == len(written['problems']) == 5 + written['warnings']
    missing, *_ = (problem for problem in written['problems'] if problem['severity'] == 'error')
    assert (missing['file'], missing['line']) == (str(root / 'list_attr_celeba.txt'), 8)


def test_lists_only_and_a_missing_folder(root, monkeypatch, capsys):
    shutil.rmtree(root / 'img_align_celeba')
    monkeypatch.setattr(sys, 'argv', [str(TOOL), str(root), '--lists-only'])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(TOOL), run_name='__main__')
    output, progress = capsys.readouterr()
    assert end.value.code == 0 and progress == ''
    assert '\nnot checked: images\n' in output and '\n0 errors, ' in output
    monkeypatch.setattr(sys, 'argv', [str(TOOL), str(root / 'nowhere')])
    message = f'error: {root / "nowhere"} is not a folder: give the folder that holds CelebA'
    with pytest.raises(SystemExit, match=f'^{message}$'):
        runpy.run_path(str(TOOL), run_name='__main__')
