"""Verification on drawn people, by a small network and as a user runs it."""

import shutil

import numpy as np
import pytest
from commands import run

from imcnn_plugin.apis import verify_pairs
from imcnn_plugin.evaluation import read_face_pairs


@pytest.fixture(scope='module')
def people(faces, tmp_path_factory):
    """Drawn people in LFW's layout, with pairs in two folds; their pictures are cut as CelebA's."""
    folder = tmp_path_factory.mktemp('lfw')
    owners = {}
    for line in (faces / 'identity_CelebA.txt').read_text().splitlines():
        name, person = line.split()
        number = owners[person] = owners.get(person, 0) + 1
        (folder / f'P{person}').mkdir(exist_ok=True)
        shutil.copy(faces / 'img_align_celeba' / name, folder / f'P{person}' / f'P{person}_{number:04d}.jpg')
    names = [f'P{person}' for person in owners]
    lines = ['2\t10']
    for half in (names[:10], names[10:]):
        lines += [f'{name}\t1\t2' for name in half]
        lines += [f'{name}\t1\t{other}\t1' for name, other in zip(half, half[1:] + half[:1])]
    (folder / 'pairs.txt').write_text('\n'.join(lines) + '\n')
    return folder


def test_features_of_people_are_compared(best, people):
    pairs = read_face_pairs(people / 'pairs.txt')
    results = verify_pairs(best, people, pairs, cut=(178, 218), batch_size=7)
    assert list(results) == ['F', 'F averaged', 'embedding']
    again = verify_pairs(best, people, pairs, cut=(178, 218))
    for name, result in results.items():
        np.testing.assert_allclose(result.accuracy, again[name].accuracy)
        # Drawn people have a skin, hair and glasses of their own.
        assert result.auc > 0.6
    other = verify_pairs(best, people, pairs, cut=(60, 60))
    assert other['F'].auc != results['F'].auc


def test_the_tool_prints_a_table_and_draws_curves(best, people, tmp_path):
    command = ['tools/analysis/verify_faces.py', f'small={best}', '--pairs', people / 'pairs.txt', '--images', people]
    printed = run(*command, '--cut', '178', '218', '--out', tmp_path / 'roc.png')
    rows = [line.split()[1:-5] for line in printed.splitlines() if line.startswith('small')]
    assert rows == [['F'], ['F', 'averaged'], ['embedding']]
    assert '40 pairs in 2 folds' in printed and 'Left out' not in printed
    assert (tmp_path / 'roc.png').stat().st_size > 10000
    shutil.copytree(people, tmp_path / 'fewer')
    shutil.rmtree(tmp_path / 'fewer' / 'P1')
    printed = run(*command[:-1], tmp_path / 'fewer', '--cut', '178', '218')
    assert f'Left out: 3 pairs of which an image is not in {tmp_path}/fewer.' in printed
