import sys

import cv2
import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import DataError
from imcnn_plugin.synthetic import write_faces
from imcnn_plugin.synthetic.draw_face import _draw_face
from imcnn_plugin.synthetic.sampling import _sample_identity, _sample_image


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('faces') / 'new'
    write_faces(folder, identities=6, images=3, seed=5, jobs=1)
    return folder


def read_bytes(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def read_table(path):
    return dict(line.split() for line in path.read_text().splitlines())


def test_layout(folder):
    files = [f'{number:06d}.jpg' for number in range(1, 19)]
    assert sorted(path.name for path in folder.iterdir()) == [
        'identity_CelebA.txt',
        'img_align_celeba',
        'list_attr_celeba.txt',
        'list_eval_partition.txt',
    ]
    assert sorted(path.name for path in (folder / 'img_align_celeba').iterdir()) == files
    for file in files:
        assert cv2.imread(str(folder / 'img_align_celeba' / file)).shape == (218, 178, 3)
    count, names, *rows = (folder / 'list_attr_celeba.txt').read_text().splitlines()
    assert count == '18'
    assert tuple(names.split()) == ATTRIBUTES
    assert [row.split()[0] for row in rows] == files
    for row in rows:
        assert set(row.split()[1:]) == {'-1', '1'}
        assert len(row) == len('000001.jpg') + 3 * 40
    assert list(read_table(folder / 'identity_CelebA.txt')) == files
    assert list(read_table(folder / 'list_eval_partition.txt')) == files
    assert [path.name for path in folder.parent.iterdir()] == ['new']


def test_identities(folder):
    identity = read_table(folder / 'identity_CelebA.txt')
    split = read_table(folder / 'list_eval_partition.txt')
    values = list(identity.values())
    assert {value: values.count(value) for value in values} == {str(600_000 + number): 3 for number in range(1, 7)}
    assert values != sorted(values)
    splits = {}
    for file, number in identity.items():
        splits.setdefault(number, set()).add(split[file])
    assert all(len(found) == 1 for found in splits.values())
    assert set(split.values()) == {'0', '1', '2'}


def test_labels_belong_to_the_files(folder):
    rows = (folder / 'list_attr_celeba.txt').read_text().splitlines()[2:]
    written = {tuple(value == '1' for value in row.split()[1:]): row.split()[0] for row in rows}
    traits, stable = _sample_identity(5, 2)
    rng = np.random.default_rng([5, 2, 2, 1])
    attributes = _sample_image(traits, stable, rng)
    file = written[tuple(attributes.values())]
    assert read_table(folder / 'identity_CelebA.txt')[file] == '600003'
    drawn = _draw_face(traits, attributes, rng).astype(int)
    stored = cv2.imread(str(folder / 'img_align_celeba' / file))[..., ::-1]
    assert np.abs(drawn - stored).mean() < 5


def test_same_seed_gives_same_bytes(folder, tmp_path):
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    write_faces(tmp_path / 'two', identities=6, images=3, seed=5, jobs=2)
    assert read_bytes(tmp_path / 'two') == read_bytes(folder)
    assert np.array_equal(np.random.get_state()[1], state)


def test_other_seed_gives_other_faces(folder, tmp_path):
    write_faces(tmp_path, identities=6, images=3, seed=6, jobs=1)
    images = {name: data for name, data in read_bytes(tmp_path).items() if name.endswith('.jpg')}
    assert not set(images.values()) & set(read_bytes(folder).values())


def test_label_noise_flips_only_training_labels(folder, tmp_path):
    write_faces(tmp_path, identities=6, images=3, seed=5, jobs=1, label_noise=0.25)
    clean, noisy = (read_bytes(path) for path in (folder, tmp_path))
    lists = [data.pop('list_attr_celeba.txt').decode().splitlines()[2:] for data in (clean, noisy)]
    assert noisy == clean
    split = read_table(folder / 'list_eval_partition.txt')
    flipped = {'0': [], '1': [], '2': []}
    for before, after in zip(*lists):
        file, *labels = before.split()
        flipped[split[file]] += [a != b for a, b in zip(labels, after.split()[1:])]
    assert 0.18 < np.mean(flipped['0']) < 0.32 and not any(flipped['1'] + flipped['2'])


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_never_overwrites(tmp_path, kind):
    target = tmp_path / 'faces'
    if kind == 'folder':
        target.mkdir()
        (target / 'notes.txt').write_text('mine')
    else:
        target.write_text('mine')
    with pytest.raises(DataError, match='faces is'):
        write_faces(target, identities=1, images=1, jobs=1)
    assert list(read_bytes(tmp_path).values()) == [b'mine']


@pytest.mark.parametrize('name, value', [('identities', 0), ('images', 0), ('jobs', 0), ('seed', -1)])
def test_numbers_out_of_range(tmp_path, name, value):
    numbers = dict(identities=1, images=1, jobs=1) | {name: value}
    with pytest.raises(DataError, match=f'{name} is {value}'):
        write_faces(tmp_path / 'faces', **numbers)
    with pytest.raises(DataError, match='label_noise is 1.5'):
        write_faces(tmp_path / 'faces', identities=1, images=1, jobs=1, label_noise=1.5)
    assert not list(tmp_path.iterdir())


def test_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(task):
        raise OSError('no space left')

    monkeypatch.setattr(sys.modules[write_faces.__module__], '_write_identity', fail)
    with pytest.raises(OSError, match='no space left'):
        write_faces(tmp_path / 'faces', identities=1, images=1, jobs=1)
    assert not list(tmp_path.iterdir())
