"""Formats a comparison with the paper as plain text, Markdown or LaTeX, and the measured results as JSON rows."""

import json
import textwrap
from typing import List, Sequence

from ..tables import aligned_lines, markdown_lines
from .comparison import ROWS, Column, Comparison
from .comparison_latex import _format_latex

# In characters: wide enough for five published and seven measured columns with standard deviations.
MAX_WIDTH, MAX_HEADING = 200, 13
_CORNER = 'attribute'


def _format_text(comparison: Comparison) -> str:
    """Tables with aligned columns and wrapped headings, then the remarks. Wide tables are split by dataset."""
    lines: List[str] = []
    for table in comparison.tables:
        parts = [_text_table(table.columns)]
        if len(parts[0][-1]) > MAX_WIDTH:
            datasets = dict.fromkeys(column.dataset for column in table.columns)
            parts = [_text_table([column for column in table.columns if column.dataset == name]) for name in datasets]
        lines += [f'{table.caption}:', '']
        for part in parts:
            lines += [*part, '']
    for title, remarks in comparison.remarks.items():
        lines += [f'{title}:']
        lines += [
            textwrap.fill(line, MAX_WIDTH, initial_indent='- ', subsequent_indent='  ', break_on_hyphens=False)
            for line in remarks
        ]
        lines += ['']
    return '\n'.join(lines[:-1]) + '\n'


def _text_table(columns: Sequence[Column]) -> List[str]:
    headings = [
        [_CORNER],
        *(
            [part for line in column.heading.split('\n') for part in textwrap.wrap(line, MAX_HEADING)]
            for column in columns
        ),
    ]
    height = max(map(len, headings))
    cells = [list(ROWS), *(column.cells for column in columns)]
    # Headings are bottom-aligned.
    rows = zip(*([''] * (height - len(heading)) + heading + body for heading, body in zip(headings, cells)))
    return aligned_lines(list(rows), rules=(height, -2))


def _format_markdown(comparison: Comparison) -> str:
    lines: List[str] = []
    for table in comparison.tables:
        rows = zip([_CORNER, *ROWS], *([column.heading, *column.cells] for column in table.columns))
        lines += [f'{table.caption}:'.replace('*', r'\*'), '', *markdown_lines(list(rows)), '']
    for title, remarks in comparison.remarks.items():
        lines += [f'{title}:', '', *(f'- {line}' for line in remarks), '']
    return '\n'.join(lines[:-1]) + '\n'


def _format_json(comparison: Comparison) -> str:
    """The rows of the measured runs, one per line, for :func:`read_measured_results`."""
    rows = ',\n'.join(json.dumps(row) for row in comparison.rows)
    return f'{{"measured": [\n{rows}\n]}}\n'


# By name, functions that format a Comparison as text.
FORMATS = dict(text=_format_text, markdown=_format_markdown, latex=_format_latex, json=_format_json)
