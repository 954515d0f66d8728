import codecs
import copy
import json

import numpy as np
import pytest

from imcnn_plugin.errors import DataError
from imcnn_plugin.evaluation import AttributeReport


def make_report(predictions, **others):
    groups, metainfo = [dict(name='vowels', labels=['a', 'e'])], dict(protocol='official', split='test', **others)
    return AttributeReport.from_scores(*predictions, np.arange(200) // 4, list('abcde'), groups, 0.5, metainfo)


def test_files_and_table_show_the_report(predictions, tmp_path):
    predictions[1][:, 2] = 0
    report = make_report(predictions, checksums=dict(images='1'))
    report.save(tmp_path)
    assert json.loads((tmp_path / 'per_attribute.json').read_text()) == report.to_dict()
    assert AttributeReport.load(tmp_path / 'per_attribute.json') == report
    # As an editor on Windows saves it.
    written = (tmp_path / 'per_attribute.json').read_bytes()
    (tmp_path / 'per_attribute.json').write_bytes(codecs.BOM_UTF8 + written)
    assert AttributeReport.load(tmp_path / 'per_attribute.json') == report
    rows = [line.split(',') for line in (tmp_path / 'per_attribute.csv').read_text().splitlines()]
    assert [row[0] for row in rows] == ['attribute', *'abcde', 'mean']
    assert float(rows[1][1]) == report.attributes['a']['accuracy']
    assert [row[rows[0].index('threshold')] for row in rows[1:]] == ['0.5'] * 5 + ['']
    # Undefined without positives.
    assert rows[3][rows[0].index('recall')] == ''
    assert sorted(path.name for path in tmp_path.iterdir()) == ['per_attribute.csv', 'per_attribute.json']
    table = report.table()
    assert f'{report.attributes["a"]["accuracy"]:.2f}' in table
    assert len({len(line) for line in table.splitlines()[:8]}) == 1
    assert '200 images of 50 identities' in table
    rules = [i for i, line in enumerate(table.splitlines()) if set(line) == {'-'}]
    assert rules == [1, 7, 9, 11]
    report.groups = {}
    assert [i for i, line in enumerate(report.table().splitlines()) if set(line) == {'-'}] == [1, 7, 9]


def test_a_label_may_have_the_name_of_a_row(tmp_path):
    rng = np.random.default_rng(0)
    scores, targets = rng.random((6, 2)), rng.integers(0, 2, (6, 2))
    report = AttributeReport.from_scores(scores, targets, np.arange(6), ['means', 'mean'], [], 0.5, {})
    report.save(tmp_path)
    assert AttributeReport.load(tmp_path / 'per_attribute.json') == report


def test_differences_name_what_is_not_as_expected(predictions):
    found = make_report(predictions, checksums=dict(images='1', annotations='2'))
    expected = copy.deepcopy(found)
    assert found.differences(expected, 0) == []
    expected.attributes['b']['accuracy'] += 0.2
    assert found.differences(expected, 0.25) == []
    [line] = found.differences(expected, 0.1)
    assert line.startswith('b is ')
    expected.attributes['b']['accuracy'] = None
    expected.mean_accuracy -= 1
    expected.checksums['images'] = '3'
    lines = found.differences(expected, 0.1)
    assert [line.split(' is ')[0] for line in lines] == ['the mean', 'b', 'the checksum of the images']
    del expected.attributes['b']
    assert found.differences(expected, 0.1) == ['the attributes are not the expected ones']


def test_files_of_older_versions_are_read(predictions, tmp_path):
    report = make_report(predictions)
    values = report.to_dict()
    values['lasting'] = values.pop('identity_stable')
    path = tmp_path / 'per_attribute.json'
    path.write_text(json.dumps(values))
    assert AttributeReport.load(path) == report
    for key in ('lasting', 'by_identity', 'protocol', 'split'):
        del values[key]
    for row in (values['means'], *values['attributes'].values()):
        for key in ('agreement', 'label_agreement', 'threshold'):
            row.pop(key, None)
    path.write_text(json.dumps(values))
    old = AttributeReport.load(path)
    assert (old.identity_stable, old.by_identity, old.split) == ([], None, None)
    assert old.column('accuracy').tolist() == report.column('accuracy').tolist()
    assert old.means['agreement'] is None and old.describe_thresholds() == ''


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(attributes=[]), "'attributes' is '\\[\\]', expected dict"),
        (dict(means=None), "'means' is 'None', expected dict"),
        (dict(num_identities=2.5), "'num_identities' is '2.5', expected int"),
        (dict(mean_accuracy=-1), 'mean_accuracy of the report is -1, expected a percentage or null'),
        (dict(groups=dict(vowels='90')), "vowels of groups is '90', expected a percentage or null"),
    ],
)
def test_damaged_files_are_rejected(predictions, tmp_path, change, message):
    path = tmp_path / 'per_attribute.json'
    path.write_text(json.dumps(make_report(predictions).to_dict() | change))
    with pytest.raises(DataError, match=f'per_attribute.json.*{message}'):
        AttributeReport.load(path)
