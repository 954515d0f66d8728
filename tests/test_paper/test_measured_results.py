import json

import numpy as np
import pytest

from imcnn_plugin.errors import DataError
from imcnn_plugin.paper import FORMATS, compare, read_measured_results, read_published


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
        with pytest.raises(DataError, match='expected NAME=WORK_DIR'):
            read_measured_results([argument])


def test_a_path_may_contain_an_equals_sign(numbers, tmp_path, write_report):
    path = write_report(tmp_path / 'lr=0.01' / 'per_attribute.json', numbers[0][0], numbers[1])
    assert [run.name for run in read_measured_results([str(path)])] == ['lr=0.01']
    assert [run.name for run in read_measured_results([f'ours={path}'])] == ['ours']


def test_a_work_directory_is_its_report_and_names_it(numbers, tmp_path, write_report):
    write_report(tmp_path / 'run-0' / 'per_attribute.json', numbers[0][0], numbers[1])
    write_report(tmp_path / 'run-0' / 'test' / 'per_attribute.json', numbers[0][0] / 2, numbers[1])
    [run] = read_measured_results([str(tmp_path / 'run-0')])
    [test] = read_measured_results([str(tmp_path / 'run-0' / 'test')])
    assert run.name == test.name == 'run-0'
    assert run.accuracy.mean() > test.accuracy.mean()
    assert [found.name for found in read_measured_results([f'ours={tmp_path}/run-*'])] == ['ours']


def test_reports_of_other_attributes_are_rejected(numbers, tmp_path, write_report):
    path = write_report(tmp_path / 'x.json', numbers[0][0], numbers[1])
    report = json.loads(path.read_text())
    report['attributes'] = dict(Hat=report['attributes']['Male'])
    path.write_text(json.dumps(report))
    with pytest.raises(DataError, match=r"40 are missing \['5_o_Clock_Shadow', .*, 1 are unknown \['Hat'\]"):
        read_measured_results([str(path)])


@pytest.mark.parametrize(
    'others, dataset',
    [
        (dict(), 'celeba'),
        (dict(protocol='kfold', fold=1), 'celeba'),
        (dict(config=dict(test_dataloader=dict(dataset=dict(type='PackedFaces')))), 'celeba'),
        (dict(config=dict(test_dataloader=None)), 'celeba'),
        (dict(protocol='lfwa'), 'lfwa'),
        (dict(protocol='halves', fold=1), 'lfwa'),
        (dict(protocol='whole', split='all'), 'lfwa'),
        (dict(protocol='kfold', config=dict(test_dataloader=dict(dataset=dict(type='LFWA')))), 'lfwa'),
        (dict(protocol='kfold', config=dict(test_dataloader=dict(dataset=dict(type='PackedLFWA')))), 'lfwa'),
    ],
)
def test_a_report_knows_its_dataset(numbers, tmp_path, write_report, others, dataset):
    path = write_report(tmp_path / 'x.json', numbers[0][0], numbers[1], **others)
    [result] = read_measured_results([f'ours={path}'])
    assert result.dataset == dataset


def test_a_pattern_names_several_files(seeds, tmp_path):
    [result] = read_measured_results([f'ours={tmp_path}/seed*/per_attribute.json'])
    assert len(result.accuracy) == 3
    results = read_measured_results([f'{tmp_path}/seed*/per_attribute.json'])
    assert [result.name for result in results] == ['seed0', 'seed1', 'seed2']
    with pytest.raises(DataError, match='none.* cannot be read'):
        read_measured_results([f'ours={tmp_path}/none*/per_attribute.json'])


@pytest.fixture
def rows(numbers, tmp_path, write_report):
    """A file of the rows of two runs, in which a value is undefined."""
    accuracy = numbers[0].copy()
    accuracy[0, 3] = np.nan
    paths = [write_report(tmp_path / f'{i}.json', accuracy[i], numbers[1], protocol='halves') for i in range(2)]
    results = read_measured_results([f'ours={path}' for path in paths])
    path = tmp_path / 'rows.json'
    path.write_text(FORMATS['json'](compare(read_published(), results)))
    return path


def test_rows_are_read_as_they_were_measured(rows, numbers, tmp_path):
    [result] = read_measured_results([str(rows)])
    assert (result.name, result.dataset, result.accuracy.shape) == ('ours', 'lfwa', (2, 40))
    np.testing.assert_allclose(result.accuracy[1], numbers[0][1], atol=5e-5)
    assert np.flatnonzero(np.isnan(result.accuracy[0])).tolist() == [3] and np.isnan(result.label_agreement).all()
    assert result.evaluated_on == ('protocol halves, split test: 100 images of 30 identities',) * 2


def test_a_run_is_added_to_rows_but_not_twice(rows, numbers, tmp_path, write_report):
    third = write_report(tmp_path / '2.json', numbers[0][2], numbers[1], protocol='halves')
    [result] = read_measured_results([str(rows), f'ours={third}'])
    assert len(result.accuracy) == 3
    with pytest.raises(DataError, match=r'1.json: this run of ours is given twice'):
        read_measured_results([str(rows), f'ours={tmp_path}/1.json'])
    with pytest.raises(DataError, match='omit theirs='):
        read_measured_results([f'theirs={rows}'])


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda row: row.pop('num_images'), "row 2: 'num_images' is 'None', expected int"),
        (lambda row: row.update(seed='0'), "row 2: 'seed' is '0', expected int"),
        (lambda row: row.update(dataset='mnist'), "row 2: 'dataset' is 'mnist', expected one of"),
        (lambda row: row['accuracy'].pop('Young'), "row 2: accuracy of Young is 'missing'"),
        (lambda row: row['majority_baseline'].update(Male=101), 'row 2: majority_baseline of Male is 101, expected a'),
        (lambda row: row['accuracy'].update(Male=True), 'row 2: accuracy of Male is True, expected a percentage'),
    ],
)
def test_damaged_rows_are_rejected(rows, change, message):
    content = json.loads(rows.read_text())
    change(content['measured'][1])
    rows.write_text(json.dumps(content))
    with pytest.raises(DataError, match=f'rows.json, {message}') as error:
        read_measured_results([str(rows)])
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('measured', [None, {}, [1]])
def test_what_is_no_list_of_rows_is_rejected(tmp_path, measured):
    (tmp_path / 'x.json').write_text(json.dumps(dict(measured=measured)))
    with pytest.raises(DataError, match="x.json(: 'measured' is .*, expected a list|, row 1: 'name' is 'None')"):
        read_measured_results([str(tmp_path / 'x.json')])
