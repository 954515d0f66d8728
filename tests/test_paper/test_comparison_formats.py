import re

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.paper import ERRORS_TITLE, FORMATS, compare, read_measured_results, read_published


def test_text_is_aligned_and_no_wider_than_200(numbers, tmp_path, write_report):
    accuracy, baseline = numbers
    files = [write_report(tmp_path / f'{i}.json', accuracy[i % 3], baseline) for i in range(14)]
    runs = read_measured_results([f'imcnn_celeba_mini_run_{i // 2}={path}' for i, path in enumerate(files)])
    comparison = compare(read_published(), runs)
    assert len(comparison.columns) == 1 + 5 + 7 + 1
    lines = FORMATS['text'](comparison).splitlines()
    assert max(map(len, lines)) <= 200
    table = lines[: lines.index('')]
    head, body, foot = table[:3], table[4:44], table[45:]
    assert set(table[3] + table[44]) == {'-'} and len(foot) == 2
    assert len(set(map(len, [*body, table[3], foot[1]]))) == 1
    # Columns are separated by two spaces and right-aligned.
    ends = [[match.end() for match in re.finditer(r'\S(?=  |$)', line)][1:] for line in body]
    assert len(ends[0]) == 13 and all(end == ends[0] for end in ends)
    place = slice(ends[0][5] - 13, ends[0][5])
    assert [line[place] for line in head] == ['imcnn_celeba_', '   mini_run_0', '      2 seeds']
    assert [line.split()[0] for line in body] == list(ATTRIBUTES)
    assert [line[:20].strip() for line in foot] == ['average as printed', 'mean']


def test_markdown_is_well_formed(seeds):
    comparison = compare(read_published(), read_measured_results([f'a|b={seeds[0]}', str(seeds[1])]))
    text = FORMATS['markdown'](comparison)
    table, *rest = text.split('\n\n')
    lines = table.splitlines()
    assert len(lines) == 2 + 42 and len({len(re.split(r'(?<!\\)\|', line)) for line in lines}) == 1
    assert lines[0].startswith('| attribute (%) | CelebA LNets+ANet |') and '| a\\|b | seed1 | majority |' in lines[0]
    assert lines[1] == '|---|' + '---:|' * 8
    assert lines[2].startswith('| 5_o_Clock_Shadow | 91 | 92.64 | 94.41 | 94.87 | 95.43 |')
    assert [part for part in rest if not part.startswith('- ')] == ['Measured:', f'{ERRORS_TITLE}:']
    assert text.endswith('\n') and not text.endswith('\n\n')


def test_latex_is_well_formed(seeds):
    runs = read_measured_results([f'50%_of $x^2$ & {{#}}~\\[={seeds[0]}', f'ours={seeds[1]}', f'ours={seeds[2]}'])
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
