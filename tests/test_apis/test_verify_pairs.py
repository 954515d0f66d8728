"""Verification on drawn people, by a small network and as a user runs it."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import run
from scipy.io import savemat

from imcnn_plugin.apis import pairs_of_half, verify_pairs
from imcnn_plugin.apis.verify_pairs import _features
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import LFWA, identify_split
from imcnn_plugin.errors import ConfigError
from imcnn_plugin.evaluation import read_face_pairs, verification_table
from imcnn_plugin.evaluation.face_verification import _standard_error
from imcnn_plugin.models import GroupedMultiLabelHead


@pytest.fixture(scope='module')
def people(faces, tmp_path_factory):
    """Drawn people in LFW's layout, with pairs in two folds; their pictures are cut as CelebA's."""
    folder = tmp_path_factory.mktemp('lfwa') / 'lfw'
    owners = {}
    for line in (faces / 'identity_CelebA.txt').read_text().splitlines():
        name, person = line.split()
        number = owners[person] = owners.get(person, 0) + 1
        (folder / f'P{person}').mkdir(parents=True, exist_ok=True)
        shutil.copy(faces / 'img_align_celeba' / name, folder / f'P{person}' / f'P{person}_{number:04d}.jpg')
    names = [f'P{person}' for person in owners]
    lines = ['2\t10']
    for half in (names[:10], names[10:]):
        lines += [f'{name}\t1\t2' for name in half]
        lines += [f'{name}\t1\t{other}\t1' for name, other in zip(half, half[1:] + half[:1])]
    (folder / 'pairs.txt').write_text('\n'.join(lines) + '\n')
    return folder


@pytest.fixture(scope='module')
def halves(people):
    """The files of LFWA, with the people of the second fold and two of the first in the test half; these two."""
    images = sorted(str(path.relative_to(people)) for path in people.glob('*/*.jpg'))
    listed = [line.split()[0] for line in (people / 'pairs.txt').read_text().splitlines()[1:] if line.count('\t') == 2]
    cells = [np.array(values, dtype=object)[:, None] for values in (images, ATTRIBUTES)]
    savemat(people.parent / 'lfw_att_40.mat', dict(name=cells[0], AttrName=cells[1], label=np.eye(len(images), 40)))
    tested = [name.split('/')[0] in (*listed[:2], *listed[10:]) for name in images]
    numbers = {key: np.flatnonzero(np.equal(tested, test)) + 1.0 for key, test in (('train', False), ('test', True))}
    savemat(people.parent / 'indices_train_test.mat', {f'indices_img_{key}': value for key, value in numbers.items()})
    return listed[:2]


def test_people_of_the_training_half_are_left_out(best, people, halves, tmp_path):
    pairs = read_face_pairs(people / 'pairs.txt')
    tested = pairs_of_half(pairs, people, 0)
    # Two alone and one together, of the second fold all.
    assert np.bincount(tested.fold).tolist() == [3, 20] and tested.same.sum() == 12
    assert {name.split('/')[0] for pair in tested.names[:3] for name in pair} == set(halves)
    others = pairs_of_half(pairs, people, 1)
    assert len(others.names) == 8 + 7 and set(others.fold) == {0}

    checkpoint = torch.load(best)
    checkpoint['meta']['trained_on'] = identify_split(LFWA(str(people.parent), 'fit'))
    torch.save(checkpoint, tmp_path / 'a.pth')
    options = dict(cut=(178, 218), half=0)
    found, expected = (verify_pairs(path, people, tested, **options)['F'] for path in (tmp_path / 'a.pth', best))
    assert found.auc == expected.auc
    with pytest.raises(ConfigError, match=r'take only those of its other half by half=0 \(--half\)'):
        verify_pairs(tmp_path / 'a.pth', people, pairs)
    with pytest.raises(ConfigError, match='the model was trained on'):
        verify_pairs(tmp_path / 'a.pth', people, others, half=1)


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


@pytest.mark.parametrize(
    'layout, shape, dims',
    [(None, (2, 8, 3, 3), 72), ('NHWC', (2, 3, 3, 8), 72), ('NLC', (2, 9, 8), 72), (None, (2, 8), 8)],
)
def test_features_of_any_layout_are_averaged_over_positions(layout, shape, dims):
    groups = [dict(name='all', labels=['a'])]
    head = GroupedMultiLabelHead(classes=['a'], groups=groups, in_channels=8, layout=layout)
    feats = torch.rand(shape)
    found = _features(SimpleNamespace(head=head, extract_feat=lambda images: (feats,)), None)
    assert found['F'].shape == (2, dims)
    if dims > 8:
        positions = [i for i in range(1, len(shape)) if shape[i] != 8]
        torch.testing.assert_close(found['F averaged'], feats.mean(positions))
    # The two tokens of a distilled transformer.
    tokens = (torch.rand(2, 8), torch.rand(2, 8))
    found = _features(SimpleNamespace(head=head, extract_feat=lambda images: (tokens,)), None)
    assert list(found) == ['F'] and torch.equal(found['F'], torch.stack(tokens).mean(0))


def test_the_tool_prints_a_table_and_draws_curves(best, people, tmp_path):
    command = ['tools/analysis/verify_faces.py', f'small={best}', '--pairs', people / 'pairs.txt', '--images', people]
    printed = run(*command, '--cut', '178', '218', '--out', tmp_path / 'roc.png', '--json', tmp_path / 'roc.json')
    results = verify_pairs(best, people, read_face_pairs(people / 'pairs.txt'), cut=(178, 218))
    cells = [f'{x.mean:.2f} +- {_standard_error(x.accuracy):.2f} {x.auc:.3f}' for x in results.values()]
    rows = [' '.join(line.split()) for line in printed.splitlines()]
    assert rows[0] == 'network F (%) AUC F averaged (%) AUC embedding (%) AUC'
    assert ' '.join(['small', *cells]) in rows
    stored = json.loads((tmp_path / 'roc.json').read_text())
    assert (stored['pairs'], stored['folds']) == (40, 2)
    table = verification_table(stored['results'])
    assert ' '.join(table[1]) == ' '.join(['small', *cells])
    # Networks need not have the same features.
    assert verification_table([*stored['results'], dict(stored['results'][0], network='b')])[2][3:] == ['-'] * 4
    assert '40 pairs in 2 folds' in printed and 'Skipped' not in printed
    assert (tmp_path / 'roc.png').stat().st_size > 10000
    shutil.copytree(people, tmp_path / 'fewer')
    shutil.rmtree(tmp_path / 'fewer' / 'P100001')
    printed = run(*command[:-1], tmp_path / 'fewer', '--cut', '178', '218')
    assert f'Skipped: 3 pairs with an image that is not in {tmp_path}/fewer.' in printed
