import json

import pytest

from imcnn_plugin.errors import DataError
from imcnn_plugin.paper import read_measured_results


@pytest.mark.parametrize(
    'text, message',
    [
        (None, 'cannot be read'),
        ('{"attributes": ', 'is not JSON'),
        ('\udcff', 'is not JSON'),
        ('[1]', "has no 'attributes'"),
        ('{"mean_accuracy": 90}', "has no 'attributes'"),
        ('{"attributes": {}, "means": {}}', "has no 'groups'"),
    ],
)
def test_files_that_are_no_report_are_rejected(tmp_path, text, message):
    path = tmp_path / 'x.json'
    if text is not None:
        path.write_bytes(text.encode(errors='surrogateescape'))
    with pytest.raises(DataError, match=f'x.json.* {message}') as error:
        read_measured_results([str(path)])
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('value', [-1, 100.5, float('nan'), True, '90', 'absent'])
def test_values_that_are_no_percentages_are_rejected(numbers, tmp_path, value, write_report):
    path = write_report(tmp_path / 'x.json', numbers[0][0], numbers[1])
    report = json.loads(path.read_text())
    report['attributes']['Young']['accuracy'] = value
    if value == 'absent':
        del report['attributes']['Young']['accuracy']
    path.write_text(json.dumps(report))
    with pytest.raises(DataError, match='accuracy of Young is|Young has no accuracy'):
        read_measured_results([str(path)])


def test_duplicate_files_and_incomplete_arguments_are_rejected(seeds):
    with pytest.raises(DataError, match='given twice'):
        read_measured_results([f'a={seeds[0]}', f'a={seeds[0].parent}/../seed0/{seeds[0].name}'])
    for argument in (f'={seeds[0]}', 'name='):
        with pytest.raises(DataError, match='expected NAME=FILE'):
            read_measured_results([argument])


def test_a_path_may_contain_an_equals_sign(numbers, tmp_path, write_report):
    path = write_report(tmp_path / 'lr=0.01' / 'per_attribute.json', numbers[0][0], numbers[1])
    assert [run.name for run in read_measured_results([str(path)])] == ['lr=0.01']
    assert [run.name for run in read_measured_results([f'ours={path}'])] == ['ours']


def test_reports_of_other_attributes_are_rejected(numbers, tmp_path, write_report):
    path = write_report(tmp_path / 'x.json', numbers[0][0], numbers[1])
    report = json.loads(path.read_text())
    report['attributes'] = dict(Hat=report['attributes']['Male'])
    path.write_text(json.dumps(report))
    with pytest.raises(DataError, match=r"40 are missing \['5_o_Clock_Shadow', .*, 1 are unknown \['Hat'\]"):
        read_measured_results([str(path)])
