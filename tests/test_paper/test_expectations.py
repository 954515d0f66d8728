from dataclasses import replace

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.paper import DATASETS, list_expectations, read_measured_results, read_published


@pytest.fixture(scope='module')
def table():
    return read_published()


def lines_of(table, dataset, part, results=()):
    lines = list_expectations(table, results, list(DATASETS))
    return [line for line in lines if line.startswith(f'{DATASETS[dataset]}: ') and part in line]


def test_each_dataset_has_what_to_expect_and_what_not(table):
    for dataset in DATASETS:
        assert len(lines_of(table, dataset, 'do not expect')) >= 1
        assert list_expectations(table, [], [dataset]) == lines_of(table, dataset, '')
    [line] = lines_of(table, 'lfwa', 'trained on CelebA and tested on the whole of LFWA')
    [line] = lines_of(table, 'lfwa', 'expect 86 to 87 from training on one half')


def test_the_gain_that_a_few_attributes_make_is_told(table):
    [line] = lines_of(table, 'lfwa', 'unusual gains')
    gains = dict(zip(ATTRIBUTES, table.values['lfwa', 'IMCNN'] - table.values['lfwa', 'ATTR Net']))
    few = ['5_o_Clock_Shadow', 'Attractive', 'Big_Lips', 'Double_Chin', 'Eyeglasses']
    assert '(' + ', '.join(f'{name} {gains[name]:+.2f}' for name in few) + ')' in line
    others = [gain for name, gain in gains.items() if name not in few]
    assert f'{np.mean([*gains.values()]):+.2f} in the mean' in line and f'it is {np.mean(others):+.2f}' in line
    assert f'{sum(gains[name] for name in few) / 40:+.2f} of it comes from 5 of 40' in line
    # On CelebA no gain is unusual.
    assert lines_of(table, 'celeba', 'unusual gains') == []
    values = {**table.values, ('celeba', 'IMCNN'): table.values['celeba', 'IMCNN'].copy()}
    values['celeba', 'IMCNN'][20] -= 5
    [line] = lines_of(replace(table, values=values), 'celeba', 'unusual gains')
    assert '(Male -4.49)' in line


def test_a_column_like_that_of_another_training_set_is_told(table):
    [line] = lines_of(table, 'lfwa', 'looks as if')
    difference = np.abs(table.values['lfwa', 'ATTR Net'] - table.values['lfwa', 'MCNN']).max()
    assert f'within {difference:.2f} points of MCNN' in line and 'correlation 0.999' in line
    other = {**table.values, ('lfwa', 'ATTR Net'): table.values['lfwa', 'ATTR Net'][::-1]}
    assert lines_of(replace(table, values=other), 'lfwa', 'looks as if') == []
    assert lines_of(table, 'celeba', 'looks as if') == []


def test_errors_of_the_labels_are_those_of_the_reports(table, numbers, tmp_path, write_report):
    path = write_report(tmp_path / 'x.json', numbers[0][0], numbers[1], protocol='halves', label_agreement=89.84)
    results = read_measured_results([f'ours={path}'])
    [line] = lines_of(table, 'lfwa', 'the labels have errors', results)
    assert line.endswith('have the same label in 89.8 % of cases')
    assert lines_of(table, 'celeba', 'the labels have errors', results) == []
    assert lines_of(table, 'lfwa', 'the labels have errors') == []
