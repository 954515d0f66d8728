import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import DataError
from imcnn_plugin.paper import (
    ERRORS_TITLE,
    EXPECTATIONS_TITLE,
    FORMATS,
    MEASURED,
    compare,
    read_measured_results,
    read_published,
)

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'analysis' / 'compare_to_paper.py'


def columns(comparison, source=None):
    [table, *_] = comparison.tables
    return [column for column in table.columns if source in (None, column.source)]


def column(comparison, heading, table=0):
    [found] = [column for column in comparison.tables[table].columns if column.heading == heading]
    return found


def test_without_files_both_datasets_are_shown_as_printed():
    comparison = compare(read_published())
    headings = [column.heading for column in columns(comparison)]
    assert headings[0] == 'CelebA\nprinted\nLNets+ANet' and headings[-1] == 'LFWA\nprinted\nIMCNN'
    assert len(headings) == 10 and len(comparison.tables) == 1
    assert list(comparison.remarks) == [EXPECTATIONS_TITLE, ERRORS_TITLE]
    assert len(comparison.remarks[ERRORS_TITLE]) == 11
    imcnn = column(comparison, 'LFWA\nprinted\nIMCNN')
    assert (imcnn.cells[14], *imcnn.cells[40:]) == ('96.33', '87.38', '87.85')
    liu = column(comparison, 'CelebA\nprinted\nLNets+ANet')
    assert (liu.cells[0], *liu.cells[40:]) == ('91', '87', '87.30')
    assert (liu.values[40], round(liu.values[41], 6)) == (87, 87.3)


def test_a_file_is_named_after_its_folder_and_its_columns_are_called_measured(seeds, numbers):
    accuracy, baseline = numbers
    comparison = compare(read_published(), read_measured_results([str(seeds[0])]))
    headings = [column.heading for column in columns(comparison)]
    assert headings[4:8] == [
        'CelebA\nprinted\nIMCNN',
        'CelebA\nmeasured\nseed0',
        'CelebA\nmeasured\nmajority',
        'LFWA\nprinted\nLNets+ANet',
    ]
    run, majority = columns(comparison, MEASURED)
    assert run.cells == [*(f'{value:.2f}' for value in accuracy[0]), '', f'{accuracy[0].mean():.2f}']
    assert majority.cells == [*(f'{value:.2f}' for value in baseline), '', f'{baseline.mean():.2f}']
    assert run.is_model and not majority.is_model
    [line] = comparison.remarks['Measured']
    assert line.startswith(
        'CelebA, seed0: protocol official, split test: 100 images of 30 identities; '
        'below the majority-class baseline on 0 of 40; by attribute most like the printed '
    )
    # Its name is no system's.
    assert len(comparison.tables) == 1


def test_each_half_of_the_table_has_the_measurements_of_its_dataset(numbers, tmp_path, write_report):
    accuracy, baseline = numbers
    files = [
        write_report(tmp_path / 'a.json', accuracy[0], baseline),
        write_report(tmp_path / 'b.json', accuracy[1], baseline + 1, protocol='halves', fold=0),
        write_report(tmp_path / 'c.json', accuracy[2], baseline + 2, protocol='whole', num_images=1234),
    ]
    results = read_measured_results([f'IMCNN={files[1]}', f'IMCNN={files[0]}', f'IMCNN, zero-shot={files[2]}'])
    comparison = compare(read_published(), results)
    found = {column.heading.replace('\n', ' '): column.cells[0] for column in columns(comparison)[5:7]}
    assert found == {
        'CelebA measured IMCNN': f'{accuracy[0, 0]:.2f}',
        'CelebA measured majority': f'{baseline[0]:.2f}',
    }
    found = {column.heading.replace('\n', ' '): column.cells[0] for column in columns(comparison)[12:]}
    assert found == {
        'LFWA measured IMCNN': f'{accuracy[1, 0]:.2f}',
        'LFWA measured IMCNN, zero-shot': f'{accuracy[2, 0]:.2f}',
        'LFWA measured majority of 100 images': f'{baseline[0] + 1:.2f}',
        'LFWA measured majority of 1,234 images': f'{baseline[0] + 2:.2f}',
    }
    assert 'protocol halves, split test, fold 0: 100 images' in comparison.remarks['Measured'][0]
    lfwa = compare(read_published(), results, 'lfwa')
    assert [column.heading for column in columns(lfwa)] == [column.heading for column in columns(comparison)[7:]]
    assert not any('CelebA' in line for line in lfwa.remarks[ERRORS_TITLE] + lfwa.remarks['Measured'])
    with pytest.raises(DataError, match='no file is of a test on CelebA'):
        compare(read_published(), results[:1], 'celeba')


def test_differences_are_to_the_printed_column_that_a_model_is_named_after(numbers, tmp_path, write_report):
    accuracy, baseline = numbers
    table = read_published()
    paths = [write_report(tmp_path / f'{i}.json', accuracy[i], baseline, protocol='halves') for i in range(3)]
    names = ['imcnn (half)', 'ATTR Net, seed 0', 'IMCNN-Dense', 'MCNN-AUX', 'ours']
    results = read_measured_results([f'{name}={paths[i % 3]}' for i, name in enumerate(names)])
    comparison = compare(table, results)
    assert [column.heading for column in comparison.tables[1].columns] == [
        'LFWA\ndifference\nimcnn (half)',
        'LFWA\ndifference\nATTR Net, seed 0',
    ]
    found = column(comparison, 'LFWA\ndifference\nimcnn (half)', 1)
    expected = accuracy[0] - table.values['lfwa', 'IMCNN']
    np.testing.assert_allclose(found.values[:40], expected)
    # The average as printed is not the mean of the printed values.
    assert found.cells[40:] == [f'{accuracy[0].mean() - 87.38:+.2f}', f'{expected.mean():+.2f}']
    marked = [name for name, cell in zip(ATTRIBUTES, found.cells) if cell.endswith('*')]
    assert marked == ['Double_Chin', 'Receding_Hairline', 'Rosy_Cheeks']
    other = column(comparison, 'LFWA\ndifference\nATTR Net, seed 0', 1)
    marked = [name for name, cell in zip(ATTRIBUTES, other.cells) if cell.endswith('*')]
    assert marked == ['Receding_Hairline', 'Rosy_Cheeks']


def test_a_model_is_likened_to_the_printed_column_that_it_follows(numbers, tmp_path, write_report):
    table = read_published()
    values = table.values['lfwa', 'ID Net'] - 3
    path = write_report(tmp_path / 'x.json', values, numbers[1], protocol='halves')
    [line] = compare(table, read_measured_results([f'ours={path}'])).remarks['Measured']
    assert line.endswith('most like the printed ID Net (correlation 1.00)')
    # One that is as good on all is like none.
    path = write_report(tmp_path / 'y.json', np.full(40, 90.0), numbers[1], protocol='halves')
    [line] = compare(table, read_measured_results([f'ours={path}'])).remarks['Measured']
    assert 'most like' not in line and 'nan' not in line


def test_files_of_one_name_are_seeds(seeds, numbers):
    accuracy, baseline = numbers
    comparison = compare(read_published(), read_measured_results([f'ours={path}' for path in seeds]))
    run, majority = columns(comparison, MEASURED)
    assert (run.name, majority.name) == ('ours\n3 seeds', 'majority')
    for i in range(40):
        values = accuracy[:, i]
        deviation = np.sqrt(((values - values.mean()) ** 2).sum() / 2)
        assert run.cells[i] == f'{values.mean():.2f} ± {deviation:.2f}'
    means = accuracy.mean(1)
    assert run.cells[41] == f'{means.mean():.2f} ± {means.std(ddof=1):.2f}'
    np.testing.assert_allclose(run.values[:40], accuracy.mean(0))
    # The same images three times.
    assert majority.cells[0] == f'{baseline[0]:.2f}'


def test_each_test_split_has_its_majority_baseline(seeds, numbers, tmp_path, write_report):
    accuracy, baseline = numbers
    folds = [write_report(tmp_path / f'fold{i}.json', accuracy[i], baseline + i, fold=i) for i in range(2)]
    # Two seeds of each fold are tested on the same images as one.
    again = [write_report(tmp_path / f'again{i}.json', accuracy[i] + 1, baseline + i, fold=i) for i in range(2)]
    arguments = [str(seeds[0]), str(seeds[1]), *(f'folds={path}' for path in folds)]
    arguments += [f'four={path}' for path in (*folds, *again)]
    comparison = compare(read_published(), read_measured_results(arguments))
    names = [column.name for column in columns(comparison, MEASURED)]
    assert names == [
        'seed0', 'seed1', 'folds\n2 runs', 'four\n4 runs', 'majority\nof 100 images', 'majority\nof 100 and 100 images'
    ]  # fmt: skip
    assert columns(comparison, MEASURED)[-1].cells[0] == f'{baseline[0] + 0.5:.2f} ± {np.sqrt(0.5):.2f}'
    assert (
        'fold 0: 100 images of 30 identities; protocol official, split test, fold 1:'
        in comparison.remarks['Measured'][2]
    )


def test_undefined_values_and_those_below_the_baseline_are_shown(numbers, tmp_path, write_report):
    accuracy, baseline = numbers
    accuracy = accuracy[:2].copy()
    accuracy[:, 0] = np.nan
    accuracy[0, 1] = np.nan
    accuracy[:, 2] = baseline[2] - 1
    # The same share, up to rounding.
    accuracy[:, 3] = np.nextafter(baseline[3], 0)
    baseline = baseline.copy()
    baseline[0] = np.nan
    paths = [write_report(tmp_path / f'{i}.json', accuracy[i], baseline) for i in range(2)]
    comparison = compare(read_published(), read_measured_results([f'IMCNN={path}' for path in paths]))
    run, majority = columns(comparison, MEASURED)
    assert (run.cells[0], majority.cells[0]) == ('-', '-')
    assert run.cells[1] == f'{accuracy[1, 1]:.2f}'
    assert run.cells[2] == f'{baseline[2] - 1:.2f} ± 0.00'
    means = [accuracy[0, 2:].mean(), accuracy[1, 1:].mean()]
    assert run.cells[41] == f'{np.mean(means):.2f} ± {np.std(means, ddof=1):.2f}'
    assert 'below the majority-class baseline on 1 of 40 (Attractive); by' in comparison.remarks['Measured'][0]
    assert comparison.tables[1].columns[0].cells[:2] == ['-', f'{accuracy[1, 1] - 82.03 - 2.96:+.2f}']


def run_tool(*arguments, folder):
    return subprocess.run(
        [sys.executable, TOOL, *arguments],
        cwd=folder,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_tool_prints_the_paper_and_its_errors(tmp_path):
    process = run_tool(folder=tmp_path)
    assert process.returncode == 0 and process.stdout == FORMATS['text'](compare(read_published()))
    for part in ('Double_Chin has the value of Eyeglasses, 96.33', 'Receding_Hairline and Rosy_Cheeks', '87.852'):
        assert part in process.stdout


def test_tool_writes_a_file(seeds, tmp_path):
    process = run_tool(
        f'ours={seeds[0]}',
        '--set',
        'celeba',
        f'ours={seeds[1]}',
        '--format',
        'latex',
        '--out',
        'a/t.tex',
        folder=tmp_path,
    )
    assert (process.returncode, process.stdout) == (0, 'written to a/t.tex\n'), process.stderr
    runs = read_measured_results([f'ours={path}' for path in seeds[:2]])
    assert (tmp_path / 'a' / 't.tex').read_text() == FORMATS['latex'](compare(read_published(), runs, 'celeba'))


def test_tool_keeps_what_a_page_has_above_its_line(seeds, tmp_path, monkeypatch, capsys):
    page = tmp_path / 'page.md'
    mark = '<!-- Made by tools/analysis/compare_to_paper.py from here on. -->'
    page.write_text(f'# Title\n\nText.\n\n{mark}\n\nold table\n')
    arguments = [f'ours={seeds[0]}', '--format', 'markdown', '--out', str(page)]
    monkeypatch.setattr(sys, 'argv', ['compare_to_paper.py', *arguments])
    runpy.run_path(str(TOOL), run_name='__main__')
    assert capsys.readouterr().out == f'written to {page}\n'
    made = FORMATS['markdown'](compare(read_published(), read_measured_results([f'ours={seeds[0]}'])))
    assert page.read_text() == f'# Title\n\nText.\n\n{mark}\n\n{made}'


def test_tool_explains_a_bad_file_in_one_line(tmp_path):
    process = run_tool('ours=none.json', folder=tmp_path)
    assert process.returncode == 1 and process.stdout == ''
    assert [line for line in process.stderr.splitlines() if line] == [
        'error: none.json cannot be read (No such file or directory): '
        'expected a per_attribute.json written by tools/test.py or tools/train.py'
    ]
