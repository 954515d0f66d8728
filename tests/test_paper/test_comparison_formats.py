import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.paper import (
    ERRORS_TITLE,
    EXPECTATIONS_TITLE,
    FORMATS,
    compare,
    read_measured_results,
    read_published,
)


def test_text_is_aligned_and_no_wider_than_200(numbers, tmp_path, write_report):
    accuracy, baseline = numbers
    files = [write_report(tmp_path / f'{i}.json', accuracy[i % 3] + i / 100, baseline) for i in range(14)]
    runs = read_measured_results([f'imcnn_celeba_mini_run_{i // 2}={path}' for i, path in enumerate(files)])
    comparison = compare(read_published(), runs)
    assert len(comparison.tables[0].columns) == 5 + 7 + 1 + 5
    lines = FORMATS['text'](comparison).splitlines()
    assert max(map(len, lines)) <= 200
    assert lines[:2] == ['Accuracy in percent:', '']
    # Too wide for one table: the other dataset's is below.
    table, other = lines[2 : lines.index('', 2)], lines[lines.index('', 2) + 1 :]
    head, body, foot = table[:5], table[6:46], table[47:]
    assert set(table[5] + table[46]) == {'-'} and len(foot) == 2
    assert len(set(map(len, [*body, table[5], foot[1]]))) == 1
    # Columns are separated by two spaces and right-aligned.
    ends = [[match.end() for match in re.finditer(r'\S(?=  |$)', line)][1:] for line in body]
    assert len(ends[0]) == 13 and all(end == ends[0] for end in ends)
    place = slice(ends[0][5] - 13, ends[0][5])
    assert [line[place].strip() for line in head] == ['CelebA', 'measured', 'imcnn_celeba_', 'mini_run_0', '2 seeds']
    assert [line.split()[0] for line in body] == list(ATTRIBUTES)
    assert [line[:20].strip() for line in foot] == ['average as printed', 'mean']
    assert other[0].split() == ['LFWA'] * 5 and other[1].split() == ['printed'] * 5


def test_text_is_one_table_if_it_is_not_too_wide(seeds):
    lines = FORMATS['text'](compare(read_published(), read_measured_results([str(seeds[0])]))).splitlines()
    assert lines[3].split() == [*['printed'] * 5, *['measured'] * 2, *['printed'] * 5]


def test_markdown_is_well_formed(seeds):
    comparison = compare(read_published(), read_measured_results([f'a|b={seeds[0]}', f'MCNN={seeds[1]}']))
    text = FORMATS['markdown'](comparison)
    [first, table, second, differences, *rest] = text.split('\n\n')
    assert first == 'Accuracy in percent:' and second.startswith('Measured minus printed accuracy')
    lines = table.splitlines()
    assert len(lines) == 2 + 42 and len({len(re.split(r'(?<!\\)\|', line)) for line in lines}) == 1
    assert lines[0].startswith('| attribute | CelebA printed LNets+ANet |')
    assert '| CelebA measured a\\|b | CelebA measured MCNN | CelebA measured majority | LFWA printed' in lines[0]
    assert lines[1] == '|---|' + '---:|' * 13
    assert lines[2].startswith('| 5_o_Clock_Shadow | 91 | 92.64 | 94.41 | 94.87 | 95.43 |')
    assert differences.splitlines()[0] == '| attribute | CelebA difference MCNN |'
    titles = [part for part in rest if not part.startswith('- ')]
    assert titles == ['Measured:', f'{EXPECTATIONS_TITLE}:', f'{ERRORS_TITLE}:']
    assert text.endswith('\n') and not text.endswith('\n\n')


@pytest.fixture
def latex(seeds, numbers, tmp_path, write_report):
    """Both halves with measured columns, hostile names among them, and differences."""
    lfwa = [write_report(tmp_path / f'{i}.json', numbers[0][i], numbers[1], protocol='halves') for i in range(3)]
    arguments = [f'50%_of $x^2$ & {{#}}~\\[={seeds[0]}', f'ours={seeds[1]}', f'ours={seeds[2]}', f'IMCNN={lfwa[0]}']
    arguments += [f'IMCNN, a rather long name_of a run={lfwa[1]}', f'*IMCNN={lfwa[2]}']
    return FORMATS['latex'](compare(read_published(), read_measured_results(arguments)))


def test_latex_is_well_formed(latex):
    assert latex.count(r'\begin') == latex.count(r'\end') == 7
    for name in re.findall(r'\\begin{(\w+)}', latex):
        assert latex.count(rf'\begin{{{name}}}') == latex.count(rf'\end{{{name}}}')
    tables = re.findall(r'\\begin{tabular}.*?\\end{tabular}', latex, re.DOTALL)
    for table, number in zip(tables, (5 + 2 + 1 + 5 + 3 + 1, 2)):
        assert table.startswith(rf'\begin{{tabular}}{{l{"r" * number}}}')
        head, *rows = [line for line in table.splitlines() if '&' in line]
        assert len(rows) == 43 and all(line.endswith(r' \\') for line in [head, *rows])
        assert {len(re.findall(r'(?<!\\)&', line)) for line in rows} == {number}
        # The heads of the halves span all columns, and so do their rules.
        assert sum(map(int, re.findall(r'\\multicolumn{(\d+)}', head))) == number
        spans = [tuple(map(int, span)) for span in re.findall(r'\\cmidrule\(lr\){(\d+)-(\d+)}', table)]
        assert [i for first, last in spans for i in range(first, last + 1)] == list(range(2, number + 2))
        for rule in ('toprule', 'bottomrule'):
            assert table.count(f'\\{rule}') == 1
    heads = re.findall(r'\\multicolumn{\d+}{c}{(.*?)}', tables[0])
    assert heads == ['CelebA, printed', 'CelebA, measured', 'LFWA, printed', 'LFWA, measured']
    body = latex.split('\n', 1)[1]
    # A comment's sign ends a line of the boxes.
    text = re.sub(r'[{}]%\n', '\n', body)
    assert not re.search(r'(?<!\\)[_%#^~±<]', text.replace('$<$', ''))
    bare = re.sub(r'\\[{}]', '', body)
    assert bare.count('{') == bare.count('}')
    assert len(re.findall(r'(?<!\\)\$', body)) % 2 == 0
    assert r'5\_o\_Clock\_Shadow & 91 & 92.64' in tables[0] and r' $\pm$ ' in tables[0]


def test_the_best_printed_and_the_best_measured_values_are_bold(numbers, tmp_path, write_report):
    values = numbers[0][:2].copy()
    values[1] = values[0] + 0.5
    values[1, 1] = values[0, 1]
    # The baseline is no model, and a single column has no best.
    baseline = np.full(40, 99.9)
    paths = [write_report(tmp_path / f'{i}.json', values[i], baseline) for i in range(2)]
    paths.append(write_report(tmp_path / 'c.json', values[0], baseline, protocol='halves'))
    runs = read_measured_results([f'a={paths[0]}', f'b={paths[1]}', f'c={paths[2]}'])
    text = FORMATS['latex'](compare(read_published(), runs))

    def bold(name):
        [row] = [line for line in text.splitlines() if line.startswith(f'{name} & ')]
        return [cell.startswith(r'\textbf{') for cell in row.split(' & ')[1:]]

    one = [False, False, False, False, True]
    assert bold(r'5\_o\_Clock\_Shadow') == [*one, False, True, False, False, True, False, False, False, False, False]
    assert bold(r'Arched\_Eyebrows')[5:8] == [True, True, False]
    assert bold('Sideburns')[:5] == [False, False, False, True, False]
    assert bold('average as printed')[:8] == [*one, False, False, False]


@pytest.mark.skipif(not shutil.which('pdflatex'), reason='without TeX, its structure alone is tested')
def test_latex_compiles_to_pages_that_its_tables_fit(latex, numbers, tmp_path, write_report):
    # More columns than a page is wide.
    paths = [write_report(tmp_path / f'{i}.json', numbers[0][i % 3] + i / 100, numbers[1]) for i in range(20)]
    wide = FORMATS['latex'](
        compare(read_published(), read_measured_results([f'IMCNN, {i // 2}={path}' for i, path in enumerate(paths)]))
    )
    sizes = r'\typeout{box \the\wd0, \the\dimexpr\ht0+\dp0\relax, \the\linewidth, \tableheight}'
    for name, text in dict(latex=latex, wide=wide, printed=FORMATS['latex'](compare(read_published()))).items():
        (tmp_path / f'{name}.tex').write_text(text.replace('\\usebox0\n', f'{sizes}\\usebox0\n'))
    packages = r'\usepackage[utf8]{inputenc}\usepackage{booktabs,graphicx,rotating}'
    (tmp_path / 'paper.tex').write_text(
        rf'\documentclass{{article}}{packages}\begin{{document}}\input{{latex}}\input{{wide}}\input{{printed}}'
        r'\end{document}'
    )
    command = ['pdflatex', '-interaction=nonstopmode', '-halt-on-error', 'paper.tex']
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0 and (tmp_path / 'paper.pdf').stat().st_size > 0, process.stdout[-2000:]
    log = (tmp_path / 'paper.log').read_text()
    boxes = re.findall(r'^box ([\d.]+)pt, ([\d.]+)pt, ([\d.]+)pt, ([\d.]+)pt', log, re.MULTILINE)
    assert len(boxes) == 5 and 'Float too large' not in log
    for width, height, page_width, page_height in (map(float, box) for box in boxes):
        assert 100 < width <= page_width + 0.1 and 100 < height <= page_height + 0.1


def test_json_has_the_rows_of_what_was_measured(seeds, tmp_path):
    results = read_measured_results([f'ours={path}' for path in seeds[:2]])
    text = FORMATS['json'](compare(read_published(), results))
    rows = json.loads(text)['measured']
    assert len(text.splitlines()) == 2 + 2 and [row['name'] for row in rows] == ['ours', 'ours']
    (tmp_path / 'rows.json').write_text(text)
    again = compare(read_published(), read_measured_results([str(tmp_path / 'rows.json')]))
    for name in FORMATS:
        assert FORMATS[name](again) == FORMATS[name](compare(read_published(), results))
