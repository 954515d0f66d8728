"""A comparison with the paper for a console, as Markdown and as LaTeX."""

import textwrap
from typing import List

from ..tables import aligned_lines, markdown_lines
from .comparison import Column, Comparison

# Characters: seven measured columns with deviations beside five printed ones stay within 200.
MAX_WIDTH, MAX_HEADING = 200, 13


def format_text(comparison: Comparison) -> str:
    """A table with aligned columns for a console; long headings are broken."""
    columns = comparison.columns
    heads = [
        [part for line in column.heading.split('\n') for part in textwrap.wrap(line, MAX_HEADING)]
        for column in columns
    ]
    height = max(map(len, heads))
    # Headings stand on the rule.
    cells = [[''] * (height - len(head)) + head + column_cells(column) for column, head in zip(columns, heads)]
    lines = aligned_lines(list(zip(*cells)))
    rule = '-' * len(lines[0])
    lines.insert(len(lines) - 2, rule)
    lines.insert(height, rule)
    for title, remarks in comparison.remarks.items():
        lines += ['', f'{title}:']
        lines += [
            textwrap.fill(line, MAX_WIDTH, initial_indent='- ', subsequent_indent='  ', break_on_hyphens=False)
            for line in remarks
        ]
    return '\n'.join(line.rstrip() for line in lines) + '\n'


def column_cells(column: Column) -> List[str]:
    """The 42 cells under a heading."""
    return [*column.cells, column.average, column.mean]


def format_markdown(comparison: Comparison) -> str:
    """A table and lists."""
    lines = markdown_lines(
        [[column.heading for column in comparison.columns], *zip(*map(column_cells, comparison.columns))]
    )
    for title, remarks in comparison.remarks.items():
        lines += ['', f'{title}:', '', *(f'- {line}' for line in remarks)]
    return '\n'.join(lines) + '\n'


def format_latex(comparison: Comparison) -> str:
    """A ``tabular`` of the package booktabs, and lists."""

    def row(cells):
        return ' & '.join(cells) + r' \\'

    def heading(text):
        return r'\shortstack[r]{' + r' \\ '.join(map(escape_latex, text.split('\n'))) + '}'

    body = [row(map(escape_latex, cells)) for cells in zip(*map(column_cells, comparison.columns))]
    lines = [
        r'% Needs \usepackage{booktabs}.',
        rf'\begin{{tabular}}{{l{"r" * (len(comparison.columns) - 1)}}}',
        r'\toprule',
        row(heading(column.heading) for column in comparison.columns),
        r'\midrule',
        *body[:-2],
        r'\midrule',
        *body[-2:],
        r'\bottomrule',
        r'\end{tabular}',
    ]
    for title, remarks in comparison.remarks.items():
        lines += ['', rf'\noindent {escape_latex(title)}:', r'\begin{itemize}']
        lines += [*(rf'\item {escape_latex(line)}' for line in remarks), r'\end{itemize}']
    return '\n'.join(lines) + '\n'


LATEX = {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': '$<$',
    '>': '$>$',
    '±': r'$\pm$',
    # After a line break or an item it would open an option.
    '[': '{[}',
    **{character: f'\\{character}' for character in '_%&#${}'},
}


def escape_latex(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return ''.join(LATEX.get(character, character) for character in text)


FORMATS = dict(text=format_text, markdown=format_markdown, latex=format_latex)
