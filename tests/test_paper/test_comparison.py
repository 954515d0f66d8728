import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import DataError
from imcnn_plugin.paper.comparison import NOTES, compare
from imcnn_plugin.paper.comparison_formats import FORMATS
from imcnn_plugin.paper.measured_results import read_runs
from imcnn_plugin.paper.published import read_published

REPOSITORY = Path(__file__).resolve().parents[2]


def write_report(path, accuracy, baseline, **about):
    """A file as an evaluation leaves it, of numbers ``(40, )`` in percent; NaN is None there."""
    attributes = {
        name: dict(
            num_labelled=100,
            accuracy=None if np.isnan(right) else float(right),
            majority_baseline=None if np.isnan(most) else float(most),
        )
        for name, right, most in zip(ATTRIBUTES, accuracy, baseline)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(dict(protocol='official', split='test', num_images=100, attributes=attributes, **about))
    )
    return path


@pytest.fixture
def numbers():
    """Accuracies of three seeds and a majority baseline."""
    rng = np.random.default_rng(0)
    return rng.uniform(60, 99, (3, 40)), rng.uniform(50, 60, 40)


@pytest.fixture
def seeds(numbers, tmp_path):
    accuracy, baseline = numbers
    return [write_report(tmp_path / f'seed{i}' / 'per_attribute.json', accuracy[i], baseline) for i in range(3)]


def column(comparison, heading):
    [found] = [column for column in comparison.columns if column.heading == heading]
    return found


def test_without_files_both_sets_as_printed():
    comparison = compare(read_published())
    headings = [column.heading for column in comparison.columns]
    assert headings[:2] == ['attribute (%)', 'CelebA\nLNets+ANet'] and headings[-1] == 'LFWA\nIMCNN'
    assert len(headings) == 11 and list(comparison.remarks) == [NOTES] and len(comparison.remarks[NOTES]) == 11
    imcnn = column(comparison, 'LFWA\nIMCNN')
    assert (imcnn.cells[14], imcnn.average, imcnn.mean) == ('96.33', '87.38', '87.85')
    liu = column(comparison, 'CelebA\nLNets+ANet')
    assert (liu.cells[0], liu.average, liu.mean) == ('91', '87', '87.30')


def test_one_file_is_named_by_its_folder_and_compared_with_celeba(seeds, numbers):
    accuracy, baseline = numbers
    comparison = compare(read_published(), read_runs([str(seeds[0])]))
    assert [column.heading for column in comparison.columns][5:] == ['CelebA\nIMCNN', 'seed0', 'majority']
    run, majority = comparison.columns[-2:]
    assert run.cells == [f'{value:.2f}' for value in accuracy[0]]
    assert majority.cells == [f'{value:.2f}' for value in baseline]
    assert (run.mean, majority.mean) == (f'{accuracy[0].mean():.2f}', f'{baseline.mean():.2f}')
    assert comparison.remarks['Measured'] == [
        'seed0: protocol official, split test, 100 images; below the majority label on 0 of 40'
    ]
    assert not any('LFWA' in line for line in comparison.remarks[NOTES])
    lfwa = compare(read_published(), read_runs([str(seeds[0])]), 'lfwa')
    assert lfwa.columns[5].heading == 'LFWA\nIMCNN' and lfwa.columns[6] == run


def test_files_of_one_name_are_seeds(seeds, numbers):
    accuracy, baseline = numbers
    comparison = compare(read_published(), read_runs([f'ours={path}' for path in seeds]))
    run, majority = column(comparison, 'ours\n3 seeds'), column(comparison, 'majority')
    for i in range(40):
        values = accuracy[:, i]
        deviation = np.sqrt(((values - values.mean()) ** 2).sum() / 2)
        assert run.cells[i] == f'{values.mean():.2f} ± {deviation:.2f}'
    means = accuracy.mean(1)
    assert run.mean == f'{means.mean():.2f} ± {means.std(ddof=1):.2f}'
    # The same images three times.
    assert majority.cells[0] == f'{baseline[0]:.2f}'


def test_each_test_part_has_its_majority_baseline(seeds, numbers, tmp_path):
    accuracy, baseline = numbers
    folds = [write_report(tmp_path / f'fold{i}.json', accuracy[i], baseline + i, fold=i) for i in range(2)]
    arguments = [str(seeds[0]), str(seeds[1]), *(f'folds={path}' for path in folds)]
    comparison = compare(read_published(), read_runs(arguments))
    headings = [column.heading for column in comparison.columns][6:]
    assert headings == ['seed0', 'seed1', 'folds\n2 seeds', 'majority\nseed0, seed1', 'majority\nfolds']
    assert comparison.columns[-1].cells[0] == f'{baseline[0] + 0.5:.2f} ± {np.sqrt(0.5):.2f}'
    assert 'fold 0, 100 images; protocol official, split test, fold 1,' in comparison.remarks['Measured'][2]


def test_missing_values_and_those_below_the_baseline_are_shown(numbers, tmp_path):
    accuracy, baseline = numbers
    accuracy = accuracy[:2].copy()
    accuracy[:, 0] = np.nan
    accuracy[0, 1] = np.nan
    accuracy[:, 2] = baseline[2] - 1
    # The same share, divided another way.
    accuracy[:, 3] = np.nextafter(baseline[3], 0)
    baseline = baseline.copy()
    baseline[0] = np.nan
    paths = [write_report(tmp_path / f'{i}.json', accuracy[i], baseline) for i in range(2)]
    comparison = compare(read_published(), read_runs([f'ours={path}' for path in paths]))
    run, majority = comparison.columns[-2:]
    assert (run.cells[0], majority.cells[0]) == ('-', '-')
    assert run.cells[1] == f'{accuracy[1, 1]:.2f}'
    assert run.cells[2] == f'{baseline[2] - 1:.2f} ± 0.00'
    means = [accuracy[0, 2:].mean(), accuracy[1, 1:].mean()]
    assert run.mean == f'{np.mean(means):.2f} ± {np.std(means, ddof=1):.2f}'
    assert comparison.remarks['Measured'][0].endswith('below the majority label on 1 of 40 (Attractive)')


def test_text_is_aligned_and_no_wider_than_200(numbers, tmp_path):
    accuracy, baseline = numbers
    files = [write_report(tmp_path / f'{i}.json', accuracy[i % 3], baseline) for i in range(14)]
    runs = read_runs([f'imcnn_celeba_mini_run_{i // 2}={path}' for i, path in enumerate(files)])
    comparison = compare(read_published(), runs)
    assert len(comparison.columns) == 1 + 5 + 7 + 1
    lines = FORMATS['text'](comparison).splitlines()
    assert max(map(len, lines)) <= 200
    table = lines[: lines.index('')]
    head, body, foot = table[:3], table[4:44], table[45:]
    assert set(table[3] + table[44]) == {'-'} and len(foot) == 2
    assert len(set(map(len, [*body, table[3], foot[1]]))) == 1
    # Two spaces part columns; where a column's numbers end is the same on every line.
    ends = [[match.end() for match in re.finditer(r'\S(?=  |$)', line)][1:] for line in body]
    assert len(ends[0]) == 13 and all(end == ends[0] for end in ends)
    place = slice(ends[0][5] - 13, ends[0][5])
    assert [line[place] for line in head] == ['imcnn_celeba_', '   mini_run_0', '      2 seeds']
    assert [line.split()[0] for line in body] == list(ATTRIBUTES)
    assert [line[:20].strip() for line in foot] == ['average as printed', 'mean']


def test_markdown_is_well_formed(seeds):
    comparison = compare(read_published(), read_runs([f'a|b={seeds[0]}', str(seeds[1])]))
    text = FORMATS['markdown'](comparison)
    table, *rest = text.split('\n\n')
    lines = table.splitlines()
    assert len(lines) == 2 + 42 and len({len(re.split(r'(?<!\\)\|', line)) for line in lines}) == 1
    assert lines[0].startswith('| attribute (%) | CelebA LNets+ANet |') and '| a\\|b | seed1 | majority |' in lines[0]
    assert lines[1] == '|---|' + '---:|' * 8
    assert lines[2].startswith('| 5_o_Clock_Shadow | 91 | 92.64 | 94.41 | 94.87 | 95.43 |')
    assert [part for part in rest if not part.startswith('- ')] == ['Measured:', f'{NOTES}:']
    assert text.endswith('\n') and not text.endswith('\n\n')


def test_latex_is_well_formed(seeds):
    runs = read_runs([f'50%_of $x^2$ & {{#}}~\\[={seeds[0]}', f'ours={seeds[1]}', f'ours={seeds[2]}'])
    text = FORMATS['latex'](compare(read_published(), runs))
    table = text[text.index(r'\begin{tabular}') : text.index(r'\end{tabular}')]
    assert table.startswith(r'\begin{tabular}{lrrrrrrrr}') and text.count(r'\begin') == text.count(r'\end') == 3
    rows = [line for line in table.splitlines() if '&' in line]
    assert len(rows) == 43 and all(line.endswith(r' \\') for line in rows)
    assert {len(re.findall(r'(?<!\\)&', line)) for line in rows} == {8}
    for rule in ('toprule', 'bottomrule'):
        assert table.count(f'\\{rule}') == 1
    body = text.split('\n', 1)[1]
    assert not re.search(r'(?<!\\)[_%#^~±<]', body.replace('$<$', ''))
    bare = re.sub(r'\\[{}]', '', body)
    assert bare.count('{') == bare.count('}')
    assert len(re.findall(r'(?<!\\)\$', body)) % 2 == 0
    assert r'5\_o\_Clock\_Shadow & 91 & 92.64' in table and r' $\pm$ ' in table and r'attribute (\%)' in table


@pytest.mark.parametrize(
    'text, message',
    [
        (None, 'cannot be read'),
        ('{"attributes": ', 'is not JSON'),
        ('\udcff', 'is not JSON'),
        ('[1]', "has no 'attributes'"),
        ('{"mean_accuracy": 90}', "has no 'attributes'"),
        ('{"attributes": {"Hat": {}}}', r"40 are missing \['5_o_Clock_Shadow', .*, 1 are others \['Hat'\]"),
    ],
)
def test_refuses_files_that_are_no_evaluation(tmp_path, text, message):
    path = tmp_path / 'x.json'
    if text is not None:
        path.write_bytes(text.encode(errors='surrogateescape'))
    with pytest.raises(DataError, match=f'x.json.* {message}') as error:
        read_runs([str(path)])
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('value', [-1, 100.5, float('nan'), True, '90', 'absent'])
def test_refuses_what_is_no_percentage(numbers, tmp_path, value):
    path = write_report(tmp_path / 'x.json', numbers[0][0], numbers[1])
    report = json.loads(path.read_text())
    report['attributes']['Young']['accuracy'] = value
    if value == 'absent':
        del report['attributes']['Young']['accuracy']
    path.write_text(json.dumps(report))
    with pytest.raises(DataError, match='accuracy of Young is|Young has no accuracy'):
        read_runs([str(path)])


def test_refuses_a_file_given_twice_and_half_a_name(seeds):
    with pytest.raises(DataError, match='given twice'):
        read_runs([f'a={seeds[0]}', f'a={seeds[0].parent}/../seed0/{seeds[0].name}'])
    for argument in (f'={seeds[0]}', 'name='):
        with pytest.raises(DataError, match='expected NAME=FILE'):
            read_runs([argument])


def test_a_folder_may_have_an_equals_sign(numbers, tmp_path):
    path = write_report(tmp_path / 'lr=0.01' / 'per_attribute.json', numbers[0][0], numbers[1])
    assert [run.name for run in read_runs([str(path)])] == ['lr=0.01']
    assert [run.name for run in read_runs([f'ours={path}'])] == ['ours']


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
    runs = read_runs([f'ours={path}' for path in seeds[:2]])
    assert (tmp_path / 'a' / 't.tex').read_text() == FORMATS['latex'](compare(read_published(), runs, 'lfwa'))


def test_tool_explains_a_bad_file_in_one_line(tmp_path):
    process = run_tool('ours=none.json', folder=tmp_path)
    assert process.returncode == 1 and process.stdout == ''
    assert [line for line in process.stderr.splitlines() if line] == [
        'error: none.json cannot be read (No such file or directory): give the per_attribute.json of a test'
    ]
