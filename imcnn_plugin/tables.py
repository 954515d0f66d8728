"""Text and Markdown tables from rows of cells, headings first; all columns but the first are right-aligned."""

from typing import List, Sequence

import numpy as np

__all__ = ['aligned_lines', 'cell', 'markdown_lines']


def aligned_lines(rows: Sequence[Sequence[str]], rules: Sequence[int] = ()) -> List[str]:
    """Lines of a console table. Columns are as wide as their widest cell, with two spaces between them.

    Args:
        rows: Cells, the same number in each row.
        rules: Indices of rows with a horizontal rule above them; negative indices count from the end.
    """
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        '  '.join(f'{cell:>{width}}' if i else f'{cell:<{width}}' for i, (cell, width) in enumerate(zip(row, widths)))
        for row in rows
    ]
    for row in sorted((index % len(rows) for index in rules), reverse=True):
        lines.insert(row, '-' * len(lines[0]))
    return [line.rstrip() for line in lines]


def cell(value: float, form: str) -> str:
    """Formats a number; NaN, as for an attribute without known labels, becomes a dash."""
    return '-' if np.isnan(value) else format(value, form)


def markdown_lines(rows: Sequence[Sequence[str]]) -> List[str]:
    """Lines of a Markdown table, with a pipe at both ends."""
    lines = ['| ' + ' | '.join(cell.replace('\n', ' ').replace('|', '\\|') for cell in row) + ' |' for row in rows]
    lines.insert(1, '|---|' + '---:|' * (len(rows[0]) - 1))
    return lines
