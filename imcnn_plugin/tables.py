"""The lines of a table, from rows of cells of which the first has the headings; numbers stand to the right."""

from typing import List, Sequence


def aligned_lines(rows: Sequence[Sequence[str]]) -> List[str]:
    """For a console: columns as wide as their widest cell, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        '  '.join(f'{cell:>{width}}' if i else f'{cell:<{width}}' for i, (cell, width) in enumerate(zip(row, widths)))
        for row in rows
    ]


def markdown_lines(rows: Sequence[Sequence[str]]) -> List[str]:
    """Markdown, with a pipe at both ends of a row."""
    lines = ['| ' + ' | '.join(cell.replace('\n', ' ').replace('|', '\\|') for cell in row) + ' |' for row in rows]
    lines.insert(1, '|---|' + '---:|' * (len(rows[0]) - 1))
    return lines
