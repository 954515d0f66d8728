"""Formats a comparison with the paper as LaTeX tables."""

import textwrap
from itertools import groupby
from typing import List

import numpy as np

from .comparison import DIFFERENCE, ROWS, Column, Comparison, Table

# Tables with this many columns or more are too wide for a portrait page.
UPRIGHT = 11
# Length of a rotated heading in characters.
MAX_HEADING = 20
_ESCAPES = {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': '$<$',
    '>': '$>$',
    '±': r'$\pm$',
    # After a line break or an item, [ would start an option.
    '[': '{[}',
    # After a line break, * would belong to the break.
    '*': '{*}',
    **{character: f'\\{character}' for character in '_%&#${}'},
}


def _format_latex(comparison: Comparison) -> str:
    """Floats of at most one page each, then lists. Requires the packages booktabs, graphicx and rotating."""
    lines = [r'% Needs \usepackage{booktabs,graphicx,rotating}.']
    for table in comparison.tables:
        lines += _float(table)
    for title, remarks in comparison.remarks.items():
        lines += ['', rf'\noindent {_escape(title)}:', r'\begin{itemize}']
        lines += [*(rf'\item {_escape(line)}' for line in remarks), r'\end{itemize}']
    return '\n'.join(lines) + '\n'


def _float(table: Table) -> List[str]:
    """A table that is scaled down if it does not fit the page; wide tables are rotated."""
    kind, height = ('table', r'\textheight') if len(table.columns) < UPRIGHT else ('sidewaystable', r'\textwidth')
    bold = any(column.source != DIFFERENCE for column in table.columns)
    caption = table.caption + (', the best printed and the best measured one in bold' if bold else '')
    return [
        # Set before the float, inside which the height differs. The rest of the page is for the caption.
        rf'\edef\tableheight{{\the\dimexpr{height}*7/8\relax}}',
        rf'\begin{{{kind}}}[p]',
        r'\centering\scriptsize\setlength{\tabcolsep}{3pt}',
        rf'\caption{{{_escape(caption)}.}}\vspace{{4pt}}',
        r'\sbox0{%',
        *_tabular(table.columns),
        r'}%',
        r'\ifdim\wd0>\linewidth\sbox0{\resizebox{\linewidth}{!}{\usebox0}}\fi',
        r'\ifdim\dimexpr\ht0+\dp0>\tableheight\sbox0{\resizebox*{!}{\tableheight}{\usebox0}}\fi',
        r'\usebox0',
        rf'\end{{{kind}}}',
    ]


def _tabular(columns: List[Column]) -> List[str]:
    groups = [
        (key, len(list(group))) for key, group in groupby(columns, lambda column: (column.dataset, column.source))
    ]
    heads, rules, first = [''], [], 2
    for (dataset, source), width in groups:
        heads.append(rf'\multicolumn{{{width}}}{{c}}{{{_escape(f"{dataset}, {source}")}}}')
        rules.append(rf'\cmidrule(lr){{{first}-{first + width - 1}}}')
        first += width
    names = ['attribute', *(_rotated(column.name) for column in columns)]
    cells = [_column_cells(column, columns) for column in columns]
    body = [_row([_escape(name), *row]) for name, row in zip(ROWS, zip(*cells))]
    return [
        rf'\begin{{tabular}}{{l{"r" * len(columns)}}}',
        r'\toprule',
        _row(heads),
        ''.join(rules),
        _row(names),
        r'\midrule',
        *body[:-2],
        r'\midrule',
        *body[-2:],
        r'\bottomrule',
        r'\end{tabular}',
    ]


def _rotated(name: str) -> str:
    parts = [part for line in name.split('\n') for part in textwrap.wrap(line, MAX_HEADING)]
    lines = r' \\ '.join(map(_escape, parts))
    return rf'\rotatebox{{90}}{{\shortstack[l]{{{lines}}}}}'


def _column_cells(column: Column, columns: List[Column]) -> List[str]:
    """The cells, in bold where no other model of the same dataset and source is better."""
    if column.source == DIFFERENCE:
        return [_escape(cell).replace('-', '$-$') for cell in column.cells]
    rivals = [
        other.values
        for other in columns
        if (other.dataset, other.source) == (column.dataset, column.source) and other.is_model
    ]
    best = np.full(len(ROWS), column.is_model and len(rivals) > 1) & (column.values >= np.fmax.reduce(rivals))
    return [rf'\textbf{{{_escape(cell)}}}' if is_best else _escape(cell) for cell, is_best in zip(column.cells, best)]


def _row(cells: List[str]) -> str:
    return ' & '.join(cells) + r' \\'


def _escape(text: str) -> str:
    return text.translate(str.maketrans(_ESCAPES))
