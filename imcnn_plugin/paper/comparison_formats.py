"""A comparison with the paper as plain text, Markdown and LaTeX."""

import textwrap
from typing import List

from ..tables import aligned_lines, markdown_lines
from .comparison import Column, Comparison

# In characters. Five published and seven measured columns with standard deviations fit.
MAX_WIDTH, MAX_HEADING = 200, 13
_LATEX_ESCAPES = {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': '$<$',
    '>': '$>$',
    '±': r'$\pm$',
    # After a line break or an item it would start an option.
    '[': '{[}',
    **{character: f'\\{character}' for character in '_%&#${}'},
}


def _format_text(comparison: Comparison) -> str:
    """A table with aligned columns and wrapped headings, then the remarks."""
    headings = [
        [part for line in column.heading.split('\n') for part in textwrap.wrap(line, MAX_HEADING)]
        for column in comparison.columns
    ]
    height = max(map(len, headings))
    # Headings are bottom-aligned.
    columns = [
        [''] * (height - len(heading)) + heading + _cells(column)
        for column, heading in zip(comparison.columns, headings)
    ]
    lines = aligned_lines(list(zip(*columns)), rules=(height, -2))
    for title, remarks in comparison.remarks.items():
        lines += ['', f'{title}:']
        lines += [
            textwrap.fill(line, MAX_WIDTH, initial_indent='- ', subsequent_indent='  ', break_on_hyphens=False)
            for line in remarks
        ]
    return '\n'.join(lines) + '\n'


def _cells(column: Column) -> List[str]:
    """The 42 cells under a heading."""
    return [*column.cells, column.average, column.mean]


def _format_markdown(comparison: Comparison) -> str:
    rows = zip(*([column.heading, *_cells(column)] for column in comparison.columns))
    lines = markdown_lines(list(rows))
    for title, remarks in comparison.remarks.items():
        lines += ['', f'{title}:', '', *(f'- {line}' for line in remarks)]
    return '\n'.join(lines) + '\n'


def _format_latex(comparison: Comparison) -> str:
    """A ``tabular`` for the package booktabs, then lists."""

    def row(cells):
        return ' & '.join(cells) + r' \\'

    def escape(text):
        return text.translate(str.maketrans(_LATEX_ESCAPES))

    headings = [escape(column.heading).replace('\n', r' \\ ') for column in comparison.columns]
    body = [row(map(escape, cells)) for cells in zip(*map(_cells, comparison.columns))]
    lines = [
        r'% Needs \usepackage{booktabs}.',
        rf'\begin{{tabular}}{{l{"r" * (len(comparison.columns) - 1)}}}',
        r'\toprule',
        row(rf'\shortstack[r]{{{heading}}}' for heading in headings),
        r'\midrule',
        *body[:-2],
        r'\midrule',
        *body[-2:],
        r'\bottomrule',
        r'\end{tabular}',
    ]
    for title, remarks in comparison.remarks.items():
        lines += ['', rf'\noindent {escape(title)}:', r'\begin{itemize}']
        lines += [*(rf'\item {escape(line)}' for line in remarks), r'\end{itemize}']
    return '\n'.join(lines) + '\n'


# Functions from a Comparison to text, by the name of the format.
FORMATS = dict(text=_format_text, markdown=_format_markdown, latex=_format_latex)
