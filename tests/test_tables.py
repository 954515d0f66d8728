from imcnn_plugin.tables import aligned_lines, markdown_lines

ROWS = [('name', 'value'), ('a', '1'), ('longer', '12.5')]


def test_columns_are_aligned_and_rules_drawn_above_rows():
    lines = ['name    value', 'a           1', 'longer   12.5']
    assert aligned_lines(ROWS) == lines
    rule = '-' * 13
    assert aligned_lines(ROWS, rules=(1, -1)) == [lines[0], rule, lines[1], rule, lines[2]]


def test_markdown_escapes_pipes_and_newlines():
    assert markdown_lines([('a|b', 'c\nd'), ('1', '2')]) == ['| a\\|b | c d |', '|---|---:|', '| 1 | 2 |']
