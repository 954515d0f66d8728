import sys

import cv2
import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import DataError
from imcnn_plugin.synthetic.face_drawing import draw_face
from imcnn_plugin.synthetic.write_faces import PERSISTENT, sample_identity, sample_image, sample_labels, write_faces

HAIR_COLOURS = ['Black_Hair', 'Blond_Hair', 'Brown_Hair', 'Gray_Hair']
FACIAL_HAIR = ['5_o_Clock_Shadow', 'Goatee', 'Mustache', 'Sideburns']
# A woman and a man with nothing special, to which one attribute at a time is added.
WOMAN = dict.fromkeys(ATTRIBUTES, False) | dict(No_Beard=True)
MAN = WOMAN | dict(Male=True)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('faces') / 'new'
    write_faces(folder, identities=6, images=3, seed=5, jobs=1)
    return folder


@pytest.fixture(scope='module')
def labels():
    """Bool array (200 identities, 20 images, 40) as a dict of (200, 20) arrays."""
    return dict(zip(ATTRIBUTES, np.moveaxis(sample_labels(200, 20, seed=0), 2, 0)))


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
    part = read_table(folder / 'list_eval_partition.txt')
    values = list(identity.values())
    assert {value: values.count(value) for value in values} == {str(number): 3 for number in range(1, 7)}
    assert values != sorted(values)
    parts = {}
    for file, person in identity.items():
        parts.setdefault(person, set()).add(part[file])
    assert all(len(of_person) == 1 for of_person in parts.values())
    assert set(part.values()) == {'0', '1', '2'}


def test_labels_belong_to_the_files(folder):
    rows = (folder / 'list_attr_celeba.txt').read_text().splitlines()[2:]
    written = {tuple(value == '1' for value in row.split()[1:]): row.split()[0] for row in rows}
    traits, persistent = sample_identity(5, 2)
    rng = np.random.default_rng([5, 2, 2, 1])
    attributes = sample_image(traits, persistent, rng)
    file = written[tuple(attributes.values())]
    assert read_table(folder / 'identity_CelebA.txt')[file] == '3'
    drawn = draw_face(traits, attributes, rng).astype(int)
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
    pictures = {name: data for name, data in read_bytes(tmp_path).items() if name.endswith('.jpg')}
    assert not set(pictures.values()) & set(read_bytes(folder).values())


def test_label_noise_turns_over_training_labels_alone(folder, tmp_path):
    write_faces(tmp_path, identities=6, images=3, seed=5, jobs=1, label_noise=0.25)
    clean, noisy = (read_bytes(path) for path in (folder, tmp_path))
    lists = [data.pop('list_attr_celeba.txt').decode().splitlines()[2:] for data in (clean, noisy)]
    assert noisy == clean
    parts = read_table(folder / 'list_eval_partition.txt')
    turned = {'0': [], '1': [], '2': []}
    for before, after in zip(*lists):
        file, *labels = before.split()
        turned[parts[file]] += [a != b for a, b in zip(labels, after.split()[1:])]
    assert 0.18 < np.mean(turned['0']) < 0.32 and not any(turned['1'] + turned['2'])


def test_every_attribute_is_neither_rare_nor_the_rule(labels):
    for name, values in labels.items():
        assert 0.08 <= values.mean() <= 0.92, name


def test_persistent_attributes(labels):
    for name, values in labels.items():
        constant = (values == values[:, :1]).all()
        assert constant == (name in PERSISTENT), name


def test_exclusions(labels):
    colours = sum(labels[name].astype(int) for name in HAIR_COLOURS)
    facial_hair = np.any([labels[name] for name in FACIAL_HAIR], axis=0)
    assert colours.max() == 1
    for name in ['Bangs', 'Receding_Hairline', 'Straight_Hair', 'Wavy_Hair', *HAIR_COLOURS]:
        assert not (labels['Bald'] & labels[name]).any(), name
    assert not (labels['Straight_Hair'] & labels['Wavy_Hair']).any()
    assert not (labels['Bangs'] & labels['Receding_Hairline']).any()
    assert not (labels['No_Beard'] & facial_hair).any()
    assert not (~labels['No_Beard'] & ~labels['Male']).any()


@pytest.mark.parametrize('name', ATTRIBUTES)
def test_every_attribute_is_visible(name):
    traits, _ = sample_identity(0, 1)
    plain = MAN if name in FACIAL_HAIR or name == 'No_Beard' else WOMAN
    pictures = []
    for value in (False, True):
        picture = draw_face(traits, plain | {name: value}, np.random.default_rng(0))
        pictures.append(cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA).astype(int))
    change = np.abs(pictures[1] - pictures[0]).max(axis=2)
    assert (change > 25).sum() >= 10


def test_attributes_do_not_change_the_surroundings():
    traits, _ = sample_identity(0, 1)
    plain, smiling = (
        draw_face(traits, WOMAN | dict(Smiling=value), np.random.default_rng(0)) for value in (False, True)
    )
    assert np.array_equal(plain[:100], smiling[:100])


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_refuses_to_overwrite(tmp_path, kind):
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
def test_refuses_numbers_that_are_too_small(tmp_path, name, value):
    numbers = dict(identities=1, images=1, jobs=1) | {name: value}
    with pytest.raises(DataError, match=f'{name} is {value}'):
        write_faces(tmp_path / 'faces', **numbers)
    with pytest.raises(DataError, match='label_noise is 1.5'):
        write_faces(tmp_path / 'faces', identities=1, images=1, jobs=1, label_noise=1.5)
    assert not list(tmp_path.iterdir())


def test_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(task):
        raise OSError('no space left')

    monkeypatch.setattr(sys.modules[write_faces.__module__], '_write_person', fail)
    with pytest.raises(OSError, match='no space left'):
        write_faces(tmp_path / 'faces', identities=1, images=1, jobs=1)
    assert not list(tmp_path.iterdir())
