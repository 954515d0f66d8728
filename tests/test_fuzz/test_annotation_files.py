"""Annotation files: what is read equals what an independent reading of the same bytes finds, or is rejected."""

import csv
import io
import shutil

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat, savemat

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import LFWA, AttributeCSV, CelebAIdentity

FUZZ = settings.get_profile('fuzz')
TIMES = FUZZ.max_examples
LISTS = ('list_attr_celeba.txt', 'identity_CelebA.txt', 'list_eval_partition.txt')
NAMES = [f'{letter}.jpg' for letter in 'abcde']
LFW_NAMES = ['Ann_B/Ann_B_0001.jpg', 'Ann_B/Ann_B_0002.jpg', 'Cy_D/Cy_D_0001.jpg']
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, (5, 40))
# In place of a number, a label or a name.
TOKENS = st.sampled_from(
    [b'1', b'-1', b'0', b'2', b'+1', b'1_0', b'1.0', b'--1', b'', b'\xff', b'\xd9\xa1', b'9' * 5000]
    + [b'2147483648', b'\0', b'a.jpg', b'A.jpg', b'a.jpg\0', b'../a.jpg', b'/a.jpg', b'\xe9.jpg', b'.', b'1\n1', b'\r']
    + [b'a.jpg a.jpg', b'0' * 30 + b'7']
)  # fmt: skip


@pytest.fixture(scope='module')
def celeba(tmp_path_factory):
    """Five images of three identities in CelebA's layout."""
    root = tmp_path_factory.mktemp('celeba')
    (root / 'img_align_celeba').mkdir()
    for name in NAMES:
        Image.new('RGB', (2, 2)).save(root / 'img_align_celeba' / name)
    rows = [f'{name} ' + ' '.join(f'{2 * label - 1:2d}' for label in row) for name, row in zip(NAMES, LABELS)]
    texts = (
        '\n'.join(['5', ' '.join(ATTRIBUTES), *rows, '']),
        ''.join(f'{name} {number}\n' for name, number in zip(NAMES, (7, 7, 2, 2, 9))),
        ''.join(f'{name} {number}\n' for name, number in zip(NAMES, (0, 0, 0, 0, 2))),
    )
    return root, {name: text.encode() for name, text in zip(LISTS, texts)}


def check_celeba(root, contents, attempt):
    for name, content in contents.items():
        (root / name).write_bytes(content)
    for split in ('train', 'test'):
        dataset = attempt(root, CelebAIdentity, str(root), split=split)
        if dataset is None:
            continue
        rows = [line.split() for line in contents[LISTS[0]].split(b'\n')[2:] if line.split()]
        labels = {row[0]: [token == b'1' for token in row[1:]] for row in rows}
        identity, part = (
            dict(line.split() for line in contents[name].split(b'\n') if line.split()) for name in LISTS[1:]
        )
        for record in dataset:
            name = record['img_path'].rsplit('/', 1)[1].encode()
            assert record['gt_score'].tolist() == labels[name] and len(labels[name]) == 40
            assert str(record['identity']).encode() == (identity[name].lstrip(b'0') or b'0')
            assert part[name].lstrip(b'0') == dict(train=b'', test=b'2')[split]


@settings(FUZZ, max_examples=30 * TIMES)
@given(data=st.data())
def test_bytes_of_celebas_lists(celeba, mutate, attempt, data):
    root, contents = celeba
    name = data.draw(st.sampled_from(LISTS))
    check_celeba(root, {**contents, name: mutate(data, contents[name])}, attempt)


@settings(FUZZ, max_examples=30 * TIMES)
@given(name=st.sampled_from(LISTS), line=st.integers(0, 6), field=st.integers(0, 40), token=TOKENS)
def test_fields_of_celebas_lists(celeba, attempt, name, line, field, token):
    root, contents = celeba
    lines = contents[name].split(b'\n')
    fields = lines[line % len(lines)].split(b' ')
    fields[field % len(fields)] = token
    lines[line % len(lines)] = b' '.join(fields)
    check_celeba(root, {**contents, name: b'\n'.join(lines)}, attempt)


CSV = (
    'image,smile,hat,who,part\n'
    + ''.join(
        f'{name},{a},{b},{who},train\n' for name, a, b, who in zip(NAMES, '10101', ['', '0', '-1', '1', '0'], 'xxyyz')
    )
).encode()
IDENTITIES = dict(identity_column='who', split_column='part', negative=0)
MEANING = {'1': 1, '1.0': 1, 'true': 1, 'True': 1, 'TRUE': 1, '0': 0, '0.0': 0, 'false': 0, 'False': 0, 'FALSE': 0}


@settings(FUZZ, max_examples=40 * TIMES)
@given(data=st.data())
def test_bytes_of_a_csv(celeba, mutate, attempt, data):
    root, _ = celeba
    content = mutate(data, CSV)
    (root / 'labels.csv').write_bytes(content)
    dataset = attempt(root, AttributeCSV, 'labels.csv', str(root), 'img_align_celeba', ['smile', 'hat'], **IDENTITIES)
    if dataset is None:
        return
    text = content.decode('utf-8-sig')
    delimiter = max(',;\t', key=text.replace('\r', '\n').split('\n')[0].count)
    header, *rows = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, skipinitialspace=True)
    header = [name.strip() for name in header]
    found = [dict(zip(header, map(str.strip, row))) for row in rows if row]
    found = [row for row in found if row['part'] == 'train']
    assert len(found) == len(dataset)
    for row, record in zip(found, dataset):
        assert record['img_path'].endswith(row['image'].replace('\\', '/').split('/')[-1])
        assert record['gt_score'].tolist() == [MEANING.get(row[name], -1) for name in ('smile', 'hat')]
        assert (record['identity'] < 0) == (row['who'] == '')


FIELDS = st.text(alphabet='a ,;"\'é\t', max_size=6)


@settings(FUZZ, max_examples=20 * TIMES)
@given(
    rows=st.lists(st.tuples(*[st.sampled_from([*MEANING, '', '-1', '-1.0'])] * 2, FIELDS), min_size=5, max_size=5),
    delimiter=st.sampled_from(',;\t'),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(['\n', '\r\n']),
    encoding=st.sampled_from(['utf-8', 'utf-8-sig']),
)
def test_a_csv_that_is_right_is_read(celeba, rows, delimiter, quoting, end, encoding):
    root, _ = celeba
    with (root / 'right.csv').open('w', newline='', encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end)
        writer.writerows([['image', 'smile', 'hat', 'note'], *([name, *row] for name, row in zip(NAMES, rows))])
    # Without a no, -1 could mean it.
    if not {'0', '0.0', 'false', 'False', 'FALSE'}.isdisjoint(label for row in rows for label in row[:2]):
        dataset = AttributeCSV('right.csv', str(root), 'img_align_celeba', ['hat', 'smile'], negative=0)
        assert [record['gt_score'].tolist() for record in dataset] == [
            [MEANING.get(hat, -1), MEANING.get(smile, -1)] for smile, hat, _ in rows
        ]


@pytest.fixture(scope='module')
def lfwa(tmp_path_factory):
    """Three images of two identities in LFWA's layout, and its two files in both versions of MATLAB's format."""
    root = tmp_path_factory.mktemp('lfwa')
    for name in LFW_NAMES:
        (root / 'lfw' / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (2, 2)).save(root / 'lfw' / name)
    texts = dict(name=LFW_NAMES, AttrName=list(ATTRIBUTES))
    splits = dict(indices_img_train=np.array([[1.0, 2.0]]), indices_img_test=np.array([[3.0]]))
    cells = {field: np.array(value, dtype=object)[:, None] for field, value in texts.items()}
    savemat(root / 'v5_att', dict(cells, label=LABELS[:3].astype(float)), appendmat=False)
    savemat(root / 'v5_splits', splits, appendmat=False)
    with h5py.File(root / 'v73_att', 'w') as file:
        for field, value in texts.items():
            codes = [file.create_dataset(f'#refs#/{field}{i}', data=np.array([[ord(c)] for c in text], np.uint16))
                     for i, text in enumerate(value)]  # fmt: skip
            file.create_dataset(field, data=np.array([[text.ref for text in codes]], dtype=h5py.ref_dtype))
        file['label'] = LABELS[:3].astype(float).T
    with h5py.File(root / 'v73_splits', 'w') as file:
        file.update({field: value.T for field, value in splits.items()})
    return root


def check_lfwa(root, attempt):
    """Names and labels of the training split, if it can be opened."""
    dataset = attempt(root, LFWA, str(root), split='train')
    found = [(record['img_path'], record['gt_score'].tolist()) for record in dataset or ()]
    assert all(path.startswith(f'{root}/lfw/') and set(labels) <= {0, 1} for path, labels in found)
    return [(path[len(f'{root}/lfw/') :], labels) for path, labels in found]


@pytest.mark.parametrize('version', ['v5', 'v73'])
@settings(FUZZ, max_examples=20 * TIMES)
@given(data=st.data())
def test_bytes_of_lfwas_files(lfwa, mutate, attempt, version, data):
    shutil.copy(lfwa / f'{version}_att', lfwa / 'lfw_att_40.mat')
    shutil.copy(lfwa / f'{version}_splits', lfwa / 'indices_train_test.mat')
    path = lfwa / data.draw(st.sampled_from(['lfw_att_40.mat', 'indices_train_test.mat']))
    path.write_bytes(mutate(data, path.read_bytes()))
    found = check_lfwa(lfwa, attempt)
    if version == 'v5' and found:
        plain = loadmat(lfwa / 'lfw_att_40.mat', variable_names=['name', 'AttrName', 'label'])
        labels = {str(cell[0]): row for cell, row in zip(plain['name'].ravel(), plain['label'])}
        columns = [str(cell[0]) for cell in plain['AttrName'].ravel()]
        for name, label in found:
            assert label == [labels[name][columns.index(attribute)] for attribute in ATTRIBUTES]


WRONG = st.sampled_from([
    1.0, np.zeros((0, 0)), np.nan, 'text', np.array(['x', ''], object), np.full((3, 40), 1j), np.full((3, 40), 2.0),
    dict(a=1), np.array(['Ann_B/Ann_B_0001.jpg'] * 3, object), np.array(['../lfw_att_40.mat', 'a/b', 'c/d'], object),
    np.array([[1.0, 3.0]]), np.array([[0.0]]), np.array([[-1.0]]), np.array([[1e300]]), np.array([['1', '2']]),
])  # fmt: skip


@settings(FUZZ, max_examples=15 * TIMES)
@given(data=st.data(), value=WRONG)
def test_wrong_variables_in_lfwas_files(lfwa, attempt, data, value):
    att, splits = loadmat(lfwa / 'v5_att'), loadmat(lfwa / 'v5_splits')
    field = data.draw(st.sampled_from(['name', 'AttrName', 'label', 'indices_img_train', 'indices_img_test']))
    (att if field in att else splits)[field] = value
    for name, variables in (('lfw_att_40', att), ('indices_train_test', splits)):
        savemat(lfwa / f'{name}.mat', {key: value for key, value in variables.items() if key[0] != '_'})
    for name, label in check_lfwa(lfwa, attempt):
        assert field.startswith('indices') and label == LABELS[LFW_NAMES.index(name)].tolist()
