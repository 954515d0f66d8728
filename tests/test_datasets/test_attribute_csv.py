import csv
import hashlib
import pickle

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset
from mmpretrain.registry import DATASETS
from PIL import Image

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import AttributeCSV, CelebAIdentity, csv_table
from imcnn_plugin.errors import ConfigError, DataError

LINES = [
    'image,round,red,who,part',
    'one/a.png,1,0,Zoë,train',
    'one/b.png,0,,Ann,train',
    'two/c.png,-1,1,Zoë,train',
    'two/d.png,1,1,,val',
    'e.png,0,0,Bob,test',
    'two/f.png,1,0,Ann,train',
]
WITH_IDENTITIES = dict(identity_column='who', split_column='part')


@pytest.fixture
def root(tmp_path):
    """Six images; a and c show one identity, b and f another."""
    for line in LINES[1:]:
        path = tmp_path / line.split(',')[0]
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (8, 10)).save(path)
    write(tmp_path)
    return tmp_path


def write(root, lines=LINES, encoding='utf-8', end='\n'):
    (root / 'labels.csv').write_bytes(end.join([*lines, '']).encode(encoding))


def edited(line, old, new):
    return [text.replace(old, new) if number == line else text for number, text in enumerate(LINES, 1)]


def test_records(root):
    dataset = DATASETS.build(
        dict(type='mmpretrain.AttributeCSV', ann_file='labels.csv', data_root=str(root), **WITH_IDENTITIES)
    )
    assert [record['img_path'] for record in dataset] == [
        str(root / f'{name}.png') for name in ('one/a', 'one/b', 'two/c', 'two/f')
    ]
    assert [record['gt_score'].tolist() for record in dataset] == [[1, 0], [0, -1], [-1, 1], [1, 0]]
    assert [record['gt_identity'] for record in dataset] == [0, 1, 0, 1]
    assert [record['identity'] for record in dataset] == [0, 1, 0, 1]
    checksums = dict(
        annotations=hashlib.sha256((root / 'labels.csv').read_bytes() + b'\n').hexdigest(),
        images=hashlib.sha256(b'one/a.png\none/b.png\ntwo/c.png\ntwo/f.png\n').hexdigest(),
    )
    assert dataset.metainfo == dict(
        classes=('round', 'red'), num_identities=2, protocol='official', split='train', checksums=checksums
    )
    assert (dataset.CLASSES, dataset.class_to_idx['red']) == (('round', 'red'), 1)
    assert str(root / 'labels.csv') in repr(dataset)


def test_a_csv_of_celebas_lists_gives_the_records_of_celeba(faces, tmp_path):
    lists = {
        name: [line.split() for line in (faces / f'{name}.txt').read_text().splitlines()]
        for name in ('list_attr_celeba', 'identity_CelebA', 'list_eval_partition')
    }
    identity, part = dict(lists['identity_CelebA']), dict(lists['list_eval_partition'])
    with (tmp_path / 'celeba.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['identity', *ATTRIBUTES, 'split', 'image'])
        for name, *labels in lists['list_attr_celeba'][2:]:
            writer.writerow([identity[name], *labels, ['train', 'val', 'test'][int(part[name])], name])
    options = dict(
        data_root=str(faces), data_prefix='img_align_celeba', identity_column='identity', split_column='split'
    )
    for kwargs in (
        dict(split='train', min_images_per_identity=4),
        dict(split='test'),
        dict(split='trainval'),
        dict(split='test', protocol='kfold', fold=1),
    ):
        mine = AttributeCSV(str(tmp_path / 'celeba.csv'), negative=-1, **options, **kwargs)
        celeba = CelebAIdentity(str(faces), **kwargs)
        assert len(mine) == len(celeba) > 0
        for one, other in zip(mine, celeba):
            np.testing.assert_equal(one, other)
        meta, other = mine.metainfo, celeba.metainfo
        assert meta.pop('checksums')['images'] == other.pop('checksums')['images'] and meta == other


@pytest.mark.parametrize(
    'text, label',
    [
        *[(text, 1) for text in ('1', '1.0', 'true', 'True', 'TRUE', ' 1 ')],
        *[(text, 0) for text in ('0', '0.0', 'false', 'False', 'FALSE')],
        *[(text, -1) for text in ('-1', '-1.0', '', 'nan', 'NaN')],
    ],
)
def test_labels(root, text, label):
    write(root, edited(2, ',1,0,', f',{text},0,'))
    assert AttributeCSV('labels.csv', str(root), **WITH_IDENTITIES)[0]['gt_score'].tolist() == [label, 0]


def test_minus_one_can_mean_no(root):
    write(root, ['image,round,red', 'one/a.png,1,-1', 'one/b.png,0,'])
    dataset = AttributeCSV('labels.csv', str(root), negative=-1)
    assert [record['gt_score'].tolist() for record in dataset] == [[1, 0], [-1, -1]]


def test_each_column_shows_what_its_minus_one_means(root):
    """A column of 0 and 1 says nothing about one of 1 and -1, which is coded as in CelebA's lists."""
    write(root, ['image,round,red,tall', 'one/a.png,1,0,-1', 'one/b.png,-1,1,-1', 'two/c.png,,,-1'])
    dataset = AttributeCSV('labels.csv', str(root))
    assert [record['gt_score'].tolist() for record in dataset] == [[1, 0, 0], [0, 1, 0], [-1, -1, 0]]
    # A column of -1 alone: no other has it for no.
    write(root, ['image,round,red', 'one/a.png,1,-1', 'one/b.png,0,-1'])
    assert [record['gt_score'].tolist() for record in AttributeCSV('labels.csv', str(root))] == [[1, -1], [0, -1]]


def test_minus_one_for_no_beside_minus_one_for_unknown_is_named(root):
    write(root, ['image,round,red,tall', 'one/a.png,1,0,1', 'one/b.png,-1,1,0', 'two/c.png,1,-1,1'])
    with pytest.raises(
        DataError, match="column 'round' is 1 or -1 and never 0, but column 'red' has 0 and -1: write 0 .* negative=0"
    ):
        AttributeCSV('labels.csv', str(root))
    dataset = AttributeCSV('labels.csv', str(root), negative=0)
    assert [record['gt_score'].tolist() for record in dataset] == [[1, 0, 1], [-1, 1, 0], [1, -1, 1]]


def test_the_log_says_that_minus_one_means_no(root, monkeypatch):
    said = []
    monkeypatch.setattr(csv_table, 'print_log', lambda message, *args: said.append(message))
    write(root, ['image,round,red,tall', 'one/a.png,1,-1,0', 'one/b.png,-1,1,1'])
    AttributeCSV('labels.csv', str(root))
    assert said == [
        f"{root}/labels.csv: column 'round' is 1 or -1 and never 0 (and 1 more columns), so -1 means no there: leave "
        'unknown labels empty.'
    ]


@pytest.mark.parametrize('no, negative', [('-1', 0), ('0', -1)])
def test_labels_without_any_no_are_rejected(root, no, negative):
    write(root, ['image,round,red', f'one/a.png,1,{no}', f'one/b.png,{no},'])
    with pytest.raises(
        DataError, match=f'labels are 1 and {no} and never {negative}: set negative={no} if {no} means no'
    ):
        AttributeCSV('labels.csv', str(root), negative=negative)
    with pytest.raises(ConfigError, match="negative is '0', expected 0 or -1"):
        AttributeCSV('labels.csv', str(root), negative='0')


def test_identities_that_programs_write_in_their_own_ways(root):
    """pandas writes nan for nothing and 12.0 for 12 if a column has gaps."""
    write(
        root, ['image,red,who', 'one/a.png,1,12.0', 'one/b.png,0,12', 'two/c.png,1,nan', 'two/d.png,0,NaN', 'e.png,1,']
    )
    dataset = AttributeCSV('labels.csv', str(root), identity_column='who')
    assert dataset.metainfo['num_identities'] == 1
    assert [record['identity'] for record in dataset] == [12, 12, -1, -1, -1]


@pytest.mark.parametrize(
    'encoding, end, mark',
    [
        ('utf-8-sig', '\r\n', ','),
        ('utf-8', '\n', ';'),
        ('utf-8', '\r', '\t'),
        ('utf-8', '\n\n', ','),
        ('utf-16', '\r\n', '\t'),
    ],
)
def test_what_spreadsheets_write(root, encoding, end, mark):
    write(root, [line.replace(',', mark) for line in LINES], encoding, end)
    dataset = AttributeCSV('labels.csv', str(root), **WITH_IDENTITIES)
    assert dataset.CLASSES == ('round', 'red')
    assert [record['gt_score'].tolist() for record in dataset] == [[1, 0], [0, -1], [-1, 1], [1, 0]]


def test_columns_of_choice(root):
    """Other columns may hold anything, even line breaks; line numbers stay correct."""
    write(
        root,
        [
            ',,file, "red, or so",tall,note',
            '0,1,./one//a.png,0,-1,"two\nlines"',
            r'1,0,two\c.png,1,0,""',
            '2,1,no.png,0,0,',
        ],
    )
    options = dict(ann_file=str(root / 'labels.csv'), image_column='file', classes=['tall', 'red, or so'])
    with pytest.raises(DataError, match=r'line 5: no\.png is not in .* \(1 of 3 images'):
        AttributeCSV(data_prefix=str(root), **options)
    Image.new('RGB', (8, 10)).save(root / 'no.png')
    dataset = AttributeCSV(data_prefix=str(root), **options)
    assert dataset.CLASSES == ('tall', 'red, or so')
    assert [record['gt_score'].tolist() for record in dataset] == [[-1, 0], [0, 1], [0, 0]]
    assert [record['img_path'] for record in dataset] == [
        str(root / name) for name in ('one/a.png', 'two/c.png', 'no.png')
    ]


def test_without_splits_the_file_is_one_split(root):
    write(root, [line.rsplit(',', 1)[0] for line in LINES])
    train = AttributeCSV('labels.csv', str(root), identity_column='who')
    assert [record['gt_identity'] for record in train] == [0, 1, 0, -1, 2, 1]
    test = AttributeCSV('labels.csv', str(root), identity_column='who', split='test')
    assert [record['gt_identity'] for record in test] == [-1] * 6
    assert (train.metainfo['num_identities'], test.metainfo['num_identities'], test.metainfo['split']) == (
        3,
        0,
        'test',
    )


def test_a_folder_can_be_an_identity(root):
    dataset = AttributeCSV('labels.csv', str(root), classes=['round'], identity_from_folder=True)
    assert [record['identity'] for record in dataset] == [0, 0, 1, 1, -1, 1]
    with pytest.raises(ConfigError, match="column 'who' or folders are: set one of the two"):
        AttributeCSV('labels.csv', str(root), identity_from_folder=True, **WITH_IDENTITIES)


@pytest.mark.parametrize(
    'identities, expected',
    [
        (['12', '', '0', '12', '999999999'], [12, -1, 0, 12, 999999999]),
        # As numbers these would be one, or too large.
        (['7', '007', '7'], [0, 1, 0]),
        (['1000000000', '5', ''], [0, 1, -1]),
        (['b', 'a', '', ' b '], [0, 1, -1, 0]),
        # As pandas fills gaps.
        (['7', '-1', '3', '-1.0', '7'], [7, -1, 3, -1, 7]),
    ],
)
def test_identities_are_numbers(root, identities, expected):
    names = ('one/a', 'one/b', 'two/c', 'two/d', 'two/f')
    write(root, ['image,red,who', *(f'{name}.png,1,{identity}' for name, identity in zip(names, identities))])
    dataset = AttributeCSV('labels.csv', str(root), identity_column='who')
    assert [record['identity'] for record in dataset] == expected


def test_other_protocols_need_identities(root):
    write(root, [line for line in LINES if 'two/d' not in line])
    options = dict(ann_file='labels.csv', data_root=str(root), **WITH_IDENTITIES)
    folds = [AttributeCSV(protocol='kfold', num_folds=3, fold=fold, split='test', **options) for fold in range(3)]
    assert sorted(record['img_path'][-5] for fold in folds for record in fold) == list('abcef')
    paper = AttributeCSV(protocol='paper', num_train_identities=2, **options)
    assert paper.metainfo['num_identities'] == 2
    with pytest.raises(ConfigError, match=r"'paper' has no split 'val', only \['test', 'train'\]"):
        AttributeCSV(protocol='paper', num_train_identities=2, split='val', **options)
    with pytest.raises(DataError, match="5 images have no known identity, which only protocol 'official'"):
        AttributeCSV('labels.csv', str(root), classes=['red'], protocol='kfold')


def test_works_with_wrappers_and_workers_and_lazily(root):
    options = dict(ann_file='labels.csv', data_root=str(root), **WITH_IDENTITIES)
    lazy = AttributeCSV(lazy_init=True, **options)
    assert 'num_identities' not in lazy.metainfo and len(lazy) == 4
    assert len(AttributeCSV(indices=3, **options)) == 3
    splits = [AttributeCSV(split=split, **options) for split in ('train', 'val')]
    assert len(ConcatDataset(splits, ignore_keys=['split', 'checksums'])) == 5
    assert pickle.loads(pickle.dumps(AttributeCSV(**options)))[1]['gt_score'].tolist() == [0, -1]
    # One of four images is red, so it is repeated: ceil(sqrt(0.5 / 0.25)) times.
    balanced = ClassBalancedDataset(AttributeCSV(**options), oversample_thr=0.5)
    assert [record['img_path'][-5] for record in balanced] == list('abccf')


@pytest.mark.parametrize(
    'lines, message',
    [
        ([], r'labels\.csv is empty: expected a header'),
        (LINES[:1], r'labels\.csv lists no images'),
        (edited(1, 'image', 'photo'), "line 1: no column 'image', only photo, round, .*: set image_column"),
        (edited(1, 'who', 'person'), "line 1: no column 'who', .* set identity_column"),
        (edited(1, 'part', 'phase'), "line 1: no column 'part', .* set split_column"),
        (edited(1, 'red', 'round'), "line 1: column 'round' is there 2 times"),
        (edited(1, 'red', ''), 'line 1: column 3 of 5 has no name: .* index=False'),
        ([line.replace(',', '|') for line in LINES], r"line 1: no column 'image', only image\|round"),
        (['image,who,part', 'e.png,Ann,train'], 'line 1: no column remains for labels: add one'),
        (edited(3, ',0,,', ',0,'), "line 3: expected 5 fields separated by ',', as in the header, found 4"),
        (edited(3, 'Ann', 'Ann, B.'), "line 3: expected 5 fields separated by ',', .* found 6: .* quote a field"),
        (edited(3, 'Ann', '"Ann" B.'), r"line 3: ',' expected after .*: correct its quotes"),
        (edited(3, 'Ann', '"Ann'), "line 3: .*: correct its quotes"),
        (edited(4, '-1', 'yes'), "line 4: column 'round' is 'yes', expected 1, 0, true or false, or .* classes if"),
        (edited(4, '-1', '2'), "line 4: column 'round' is '2', expected 1, 0"),
        (edited(5, 'val', 'valid'), "line 5: column 'part' is 'valid', expected train, val or test, or 0, 1 or 2"),
        (edited(6, 'e.png', 'one/./a.png'), r'line 6: one/a\.png is already listed in line 2; remove one'),
        (edited(6, 'e.png', ''), "line 6: column 'image' is '', expected a path in the image folder"),
        (edited(6, 'e.png', '/etc/passwd'), "line 6: column 'image' is '/etc/passwd', expected a path"),
        (edited(6, 'e.png', '../e.png'), r"line 6: column 'image' is '\.\./e\.png', .* without \.\."),
        (edited(6, 'e.png', r'one\..\..\e.png'), "line 6: column 'image' is .*, expected a path in the image folder"),
        (edited(6, 'e.png', r'C:\e.png'), r"line 6: column 'image' is .*, expected a path in the image folder"),
        (edited(6, 'e.png', 'http://a.b/e.png'), "line 6: column 'image' is 'http://a.b/e.png', expected a path"),
        (edited(6, 'e.png', 'e\0.png'), r'line 6: this is not UTF-8 text \(a null byte\)'),
        (edited(4, 'two/c', 'two/x'), r'line 4: two/x\.png is not in .* \(1 of 4 images .*: put them there'),
        (edited(5, ',,val', ',Ann,val'), r'identity .* is in both train \(one/b\.png\) and val \(two/d\.png\)'),
        ([line for line in LINES if 'train' not in line], "no image is in split 'train'"),
    ],
)  # fmt: skip
def test_bad_files_are_rejected(root, lines, message):
    write(root, lines, end='\n' if lines else '')
    with pytest.raises(DataError, match=message) as error:
        AttributeCSV('labels.csv', str(root), **WITH_IDENTITIES)
    assert str(root / 'labels.csv') in str(error.value) and '\n' not in str(error.value)


def test_other_encodings_and_missing_files_are_named(root):
    options = dict(ann_file='labels.csv', data_root=str(root), **WITH_IDENTITIES)
    write(root, encoding='latin-1')
    with pytest.raises(DataError, match=r'labels\.csv, line 2: this is not UTF-8 text \(.*\): save it as UTF-8'):
        AttributeCSV(**options)
    (root / 'labels.csv').unlink()
    with pytest.raises(DataError, match=r'labels\.csv cannot be read \(No such file or directory\): set ann_file'):
        AttributeCSV(**options)


def test_missing_images_are_counted(root):
    for path in (root / 'two').iterdir():
        path.unlink()
    (root / 'two').rmdir()
    with pytest.raises(DataError, match=r"line 4: two/c\.png is not in .* \(2 of 4 images of split 'train' are not\)"):
        AttributeCSV('labels.csv', str(root), **WITH_IDENTITIES)
    assert len(AttributeCSV('labels.csv', str(root), split='test', **WITH_IDENTITIES)) == 1


def test_images_may_be_in_the_current_folder(root, monkeypatch):
    monkeypatch.chdir(root)
    assert len(AttributeCSV('labels.csv', **WITH_IDENTITIES)) == 4
    assert [record['img_path'] for record in AttributeCSV('labels.csv', split='test', **WITH_IDENTITIES)] == ['e.png']


def test_splits_may_be_numbers_or_in_a_file_of_their_own(root):
    def labels(**options):
        parts = [AttributeCSV('labels.csv', str(root), split=split, **options) for split in ('train', 'val', 'test')]
        return [[(record['img_path'], *record['gt_score']) for record in part] for part in parts]

    expected = labels(**WITH_IDENTITIES)
    table = [line.rsplit(',', 1) for line in LINES]
    numbers = dict(part='part', train='0', val='1', test='2')
    write(root, [f'{row},{numbers[split]}' for row, split in table])
    assert labels(**WITH_IDENTITIES) == expected
    write(root, [row for row, _ in table])
    for mark, head in ((',', ['image_id,partition']), (' ', []), ('\t', [])):
        lines = [f'{row.split(",")[0]}{mark}{numbers[split]}' for row, split in table[1:]]
        (root / 'splits').write_text('\n'.join([*head, *lines, f'other.png{mark}2', '']))
        assert labels(split_file='splits', identity_column='who') == expected
    with pytest.raises(ConfigError, match="splits are in column 'part' or in splits: set one"):
        AttributeCSV('labels.csv', str(root), split_file='splits', **WITH_IDENTITIES)


@pytest.mark.parametrize(
    'lines, message',
    [
        (
            ['one/a.png 0', 'one/b.png train', 'two/c.png 0', 'two/d.png 1'],
            r'labels\.csv, line 6: e\.png is not in .*/s',
        ),
        (
            ['one/a.png 0', 'one/b.png three'],
            "line 2: expected an image and train, val or test, or 0, 1 or 2, found 'o",
        ),
        (['one/a.png 0', 'one/b.png'], 'line 2: expected an image and'),
        (['one/a.png 0', 'one//a.png 1'], r'line 2: one/a\.png was in another split before'),
        (None, r'splits cannot be read \(No such file or directory\): set split_file'),
    ],
)
def test_a_bad_file_of_splits_is_named(root, lines, message):
    if lines is not None:
        (root / 'splits').write_text('\n'.join(lines))
    with pytest.raises(DataError, match=message):
        AttributeCSV('labels.csv', str(root), split_file='splits', classes=['round', 'red'])


@pytest.mark.parametrize('head', [True, False], ids=['CelebAMask-HQ', 'rows alone'])
def test_lists_as_those_of_celeba(faces, tmp_path, head):
    """CelebAMask-HQ has a number, names and rows; other projects have rows alone, a file for each split."""
    lines = (faces / 'list_attr_celeba.txt').read_text().splitlines()
    path = tmp_path / 'attributes.txt'
    rows = [' '.join(line.split()) if not head else line for line in lines[2:]]
    path.write_text('\n'.join([*(lines[:2] if head else []), *rows]) + '\n')
    options = dict(data_root=str(faces), data_prefix='img_align_celeba')
    dataset = AttributeCSV(str(path), split_file='list_eval_partition.txt', **options)
    expected = CelebAIdentity(str(faces))
    assert dataset.CLASSES == ATTRIBUTES
    assert np.array_equal(dataset.data_list.gt_score, expected.data_list.gt_score)
    assert dataset.metainfo['checksums']['images'] == expected.metainfo['checksums']['images']
    assert AttributeCSV(str(path), classes=['Young', 'Male'], **options).data_list.gt_score.shape == (
        len(lines) - 2,
        2,
    )
    path.write_text('\n'.join([*(lines[:2] if head else []), *lines[2:5], 'x.jpg 1']))
    with pytest.raises(
        DataError, match='announces' if head else 'line 4: expected a file name and 40 labels, found 2'
    ):
        AttributeCSV(str(path), **options)


def test_rows_alone_have_the_labels_of_the_config(root):
    write(root, ['one/a.png 1 0', 'one/b.png 0 0', 'e.png 1 1'])
    dataset = AttributeCSV('labels.csv', str(root), classes=['round', 'red'])
    assert [record['gt_score'].tolist() for record in dataset] == [[1, 0], [0, 0], [1, 1]]
    with pytest.raises(DataError, match='line 1: no line above the labels names them: list them in classes'):
        AttributeCSV('labels.csv', str(root))
