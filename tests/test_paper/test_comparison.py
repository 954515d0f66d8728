import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from imcnn_plugin.paper import ERRORS_TITLE, FORMATS, compare, read_measured_results, read_published

REPOSITORY = Path(__file__).resolve().parents[2]


def column(comparison, heading):
    [found] = [column for column in comparison.columns if column.heading == heading]
    return found


def test_without_files_both_datasets_are_shown_as_printed():
    comparison = compare(read_published())
    headings = [column.heading for column in comparison.columns]
    assert headings[:2] == ['attribute (%)', 'CelebA\nLNets+ANet'] and headings[-1] == 'LFWA\nIMCNN'
    assert (
        len(headings) == 11
        and list(comparison.remarks) == [ERRORS_TITLE]
        and len(comparison.remarks[ERRORS_TITLE]) == 11
    )
    imcnn = column(comparison, 'LFWA\nIMCNN')
    assert (imcnn.cells[14], imcnn.average, imcnn.mean) == ('96.33', '87.38', '87.85')
    liu = column(comparison, 'CelebA\nLNets+ANet')
    assert (liu.cells[0], liu.average, liu.mean) == ('91', '87', '87.30')


def test_a_file_is_named_after_its_folder_and_compared_with_celeba(seeds, numbers):
    accuracy, baseline = numbers
    comparison = compare(read_published(), read_measured_results([str(seeds[0])]))
    assert [column.heading for column in comparison.columns][5:] == ['CelebA\nIMCNN', 'seed0', 'majority']
    run, majority = comparison.columns[-2:]
    assert run.cells == [f'{value:.2f}' for value in accuracy[0]]
    assert majority.cells == [f'{value:.2f}' for value in baseline]
    assert (run.mean, majority.mean) == (f'{accuracy[0].mean():.2f}', f'{baseline.mean():.2f}')
    assert comparison.remarks['Measured'] == [
        'seed0: protocol official, split test: 100 images of 30 identities; '
        'below the majority-class baseline on 0 of 40'
    ]
    assert not any('LFWA' in line for line in comparison.remarks[ERRORS_TITLE])
    lfwa = compare(read_published(), read_measured_results([str(seeds[0])]), 'lfwa')
    assert lfwa.columns[5].heading == 'LFWA\nIMCNN' and lfwa.columns[6] == run


def test_files_of_one_name_are_seeds(seeds, numbers):
    accuracy, baseline = numbers
    comparison = compare(read_published(), read_measured_results([f'ours={path}' for path in seeds]))
    run, majority = column(comparison, 'ours\n3 seeds'), column(comparison, 'majority')
    for i in range(40):
        values = accuracy[:, i]
        deviation = np.sqrt(((values - values.mean()) ** 2).sum() / 2)
        assert run.cells[i] == f'{values.mean():.2f} ± {deviation:.2f}'
    means = accuracy.mean(1)
    assert run.mean == f'{means.mean():.2f} ± {means.std(ddof=1):.2f}'
    # The same images three times.
    assert majority.cells[0] == f'{baseline[0]:.2f}'


def test_each_test_split_has_its_majority_baseline(seeds, numbers, tmp_path, write_report):
    accuracy, baseline = numbers
    folds = [write_report(tmp_path / f'fold{i}.json', accuracy[i], baseline + i, fold=i) for i in range(2)]
    arguments = [str(seeds[0]), str(seeds[1]), *(f'folds={path}' for path in folds)]
    comparison = compare(read_published(), read_measured_results(arguments))
    headings = [column.heading for column in comparison.columns][6:]
    assert headings == ['seed0', 'seed1', 'folds\n2 seeds', 'majority\nseed0, seed1', 'majority\nfolds']
    assert comparison.columns[-1].cells[0] == f'{baseline[0] + 0.5:.2f} ± {np.sqrt(0.5):.2f}'
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
    comparison = compare(read_published(), read_measured_results([f'ours={path}' for path in paths]))
    run, majority = comparison.columns[-2:]
    assert (run.cells[0], majority.cells[0]) == ('-', '-')
    assert run.cells[1] == f'{accuracy[1, 1]:.2f}'
    assert run.cells[2] == f'{baseline[2] - 1:.2f} ± 0.00'
    means = [accuracy[0, 2:].mean(), accuracy[1, 1:].mean()]
    assert run.mean == f'{np.mean(means):.2f} ± {np.std(means, ddof=1):.2f}'
    assert comparison.remarks['Measured'][0].endswith('below the majority-class baseline on 1 of 40 (Attractive)')


def run_tool(*arguments, folder):
    return subprocess.run(
        [sys.executable, REPOSITORY / 'tools' / 'analysis' / 'compare_to_paper.py', *arguments],
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
        'lfwa',
        f'ours={seeds[1]}',
        '--format',
        'latex',
        '--out',
        'a/t.tex',
        folder=tmp_path,
    )
    assert (process.returncode, process.stdout) == (0, 'written to a/t.tex\n'), process.stderr
    runs = read_measured_results([f'ours={path}' for path in seeds[:2]])
    assert (tmp_path / 'a' / 't.tex').read_text() == FORMATS['latex'](compare(read_published(), runs, 'lfwa'))


def test_tool_explains_a_bad_file_in_one_line(tmp_path):
    process = run_tool('ours=none.json', folder=tmp_path)
    assert process.returncode == 1 and process.stdout == ''
    assert [line for line in process.stderr.splitlines() if line] == [
        'error: none.json cannot be read (No such file or directory): '
        'expected a per_attribute.json written by tools/test.py or tools/train.py'
    ]
