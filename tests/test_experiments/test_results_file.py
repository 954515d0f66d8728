import numpy as np
import pytest
from commands import CONFIG

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import DataError
from imcnn_plugin.evaluation import AttributeReport
from imcnn_plugin.experiments import Job, Variant, group_rows, read_rows
from imcnn_plugin.experiments.results_file import _append_row, _make_row, _pack_counts, _unpack_counts


def test_counts_of_many_images_are_kept():
    # Images of unknown identity may share a count.
    by_identity = dict(identity=[-1, 4], correct=dict(Male=[90000, 1]), labelled=dict(Male=[100000, 2]))
    found = _unpack_counts(_pack_counts(by_identity), 1)
    assert found['correct'].tolist() == [[90000], [1]] and found['labelled'].tolist() == [[100000], [2]]
    assert found['identity'].tolist() == [-1, 4]
    # Images of unknown identity are in several groups.
    for identity in ([-3, -2, -1, 5, 300], [-1000, -1], [7, 9]):
        counts = {key: dict(Male=[1] * len(identity)) for key in ('correct', 'labelled')}
        assert _unpack_counts(_pack_counts(dict(counts, identity=identity)), 1)['identity'].tolist() == identity


def test_a_folder_holds_the_rows_of_its_files(row, tmp_path):
    rows = [row('A', seed, [10, 11, 12]) for seed in range(3)]
    for number, value in ((1, rows[0]), (2, rows[1]), (2, rows[2]), (3, rows[0])):
        _append_row(tmp_path / f'machine_{number}.jsonl', value)
    assert read_rows(tmp_path) == rows
    (tmp_path / 'machine_4.jsonl').write_text('{}\n')
    with pytest.raises(DataError, match='machine_4.jsonl, line 1: not a row of a results file'):
        read_rows(tmp_path)


def test_rows_of_two_configs_with_one_name_are_separate(row):
    rows = [row('A', 0, [10, 11, 12]), row('A', 0, [1, 2, 3], config_hash='b'), row('B', 0, [11, 12, 13])]
    assert {name: len(group) for name, group in group_rows(rows).items()} == {'A (a)': 1, 'A (b)': 1, 'B': 1}
    variants = [Variant('B', CONFIG, (), 'a'), Variant('A', CONFIG, (), 'b')]
    assert group_rows(rows, variants) == {'B': rows[2:], 'A': rows[1:2]}


def test_a_results_file_has_complete_lines(row, tmp_path, capsys):
    path = tmp_path / 'new' / 'rows.jsonl'
    assert read_rows(path) == []
    first, second = row('A', 0, [10, 11, 12]), row('A', 1, [10, 11, 13])
    for value in (first, first | dict(seconds=1), second):
        _append_row(path, value)
    assert path.read_bytes().count(b'\n') == 3 and read_rows(path, repair=True) == [first, second]
    # A newline dropped by an editor loses no row.
    path.write_bytes(path.read_bytes().rstrip())
    assert read_rows(path) == [first, second]
    assert read_rows(path, repair=True) == [first, second] and path.read_bytes().endswith(b'}\n')
    # Nor does one that it added.
    path.write_bytes(path.read_bytes() + b'\n')
    assert read_rows(path) == [first, second]
    assert capsys.readouterr().err == ''
    path.write_bytes(b'{"name":1}\n' + path.read_bytes())
    with pytest.raises(DataError, match='rows.jsonl, line 1: not a row of a results file'):
        read_rows(path)
    with pytest.raises(DataError, match='cannot be written'):
        _append_row(tmp_path, first)


def test_a_row_of_549_identities_is_small_and_has_no_directories(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    options = ('load_from=/home/me/runs/first.pth', 'files=["/mnt/a/b.txt","c/d.txt"]', 'p=a-{seed}/x', 'q=~/x/y')
    values = dict(accuracy=100 / 3)
    # As many images per identity as in the small subset, one label in nine wrong.
    rng = np.random.default_rng(0)
    images = rng.geometric(0.36, 549)
    report = AttributeReport(
        mean_accuracy=100 / 3,
        means=dict(agreement=200 / 3, label_agreement=200 / 3),
        protocol='official',
        split='test',
        num_images=1530,
        num_identities=549,
        groups={},
        attributes={name: values for name in ATTRIBUTES},
        identity_stable=['Male', 'Young'],
        by_identity=dict(
            identity=list(range(9600, 10149)),
            correct=dict(zip(ATTRIBUTES, (images - rng.binomial(images, 0.11, (40, 549))).tolist())),
            labelled=dict.fromkeys(ATTRIBUTES, images.tolist()),
        ),
        checksums=dict(annotations='0' * 64, images='0' * 64),
        versions=dict(torch='2.11.0', mmengine='0.10.7', mmcv='2.2.0', mmpretrain='1.2.0', numpy='2.4.6'),
    )
    job = Job(Variant('A', str(tmp_path / 'configs' / 'a.py'), options, '0' * 16), 0, tmp_path)
    made = _make_row(job, report, None, 1234.5678, False)
    assert made['val_accuracy'] is None
    assert made['config'] == 'configs/a.py' and made['accuracy']['Male'] == 33.3333
    assert made['options'] == ['load_from=first.pth', 'files=["b.txt","c/d.txt"]', 'p=a-{seed}/x', 'q=y']
    _append_row('rows', made)
    assert (tmp_path / 'rows').stat().st_size < 10000


def test_rows_of_older_versions_are_read(row, tmp_path):
    expected = row('A', 0, [10, 11, 12])
    old = dict(expected)
    old['lasting'] = old.pop('identity_stable')
    _append_row(tmp_path / 'rows.jsonl', old)
    assert read_rows(tmp_path / 'rows.jsonl') == [expected]
