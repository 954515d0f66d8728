"""Shared parts of all figures: the palette, an empty figure, the grid, and saving."""

import io
import re
from pathlib import Path
from typing import Union

from ..errors import DataError, one_line
from ..files import replacing, writable
from ..templates import data_uri

# Okabe & Ito's palette, which readers with color vision deficiency can tell apart, without yellow, which is too faint
# on white: blue, orange, green, purple, sky blue, vermilion, black.
COLORS = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#000000')
# Also for texts: a contrast of at least 4.5:1 on white, which COLORS[5] lacks.
RIGHT, WRONG, UNKNOWN = COLORS[0], '#C14F00', '#57606A'
# Line styles of figures with many curves, after the colors.
_LINES = ('-', '--', ':')
# The unfilled part of a bar.
TRACK = '#E4E8EC'


def _line_style(i: int) -> dict:
    """Color and line style of the curve with index i."""
    return dict(color=COLORS[i % len(COLORS)], linestyle=_LINES[i // len(COLORS) % len(_LINES)])


def spaced(name: str) -> str:
    """``Wearing_Hat`` and ``AroundHead`` as words: Wearing Hat, Around Head."""
    return re.sub('(?<=[a-z])(?=[A-Z])', ' ', name.replace('_', ' '))


def writable_figure(path: Union[str, Path]) -> Union[str, Path]:
    """Returns a path that :func:`save_figure` can write to, for a check before long work; creates its folder.

    Raises:
        DataError: The format is unknown, or the file cannot be written.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    suffix, formats = Path(path).suffix[1:].lower(), FigureCanvasBase.get_supported_filetypes()
    if suffix not in formats:
        raise DataError(f"{path}: unknown image format '{suffix}', use one of {', '.join(sorted(formats))}")
    return writable(path)


def save_figure(figure, path: Union[str, Path], dpi: int = 150) -> None:
    """Writes a ``matplotlib.figure.Figure`` atomically; missing folders are created.

    Args:
        path: Its suffix is the format, such as .png, .pdf or .svg.
        dpi: Resolution in pixels per inch of raster formats.

    Raises:
        DataError: The format is unknown, or the file cannot be written.
    """
    with replacing(writable_figure(path)) as temporary:
        try:
            figure.savefig(temporary, dpi=dpi, format=Path(path).suffix[1:].lower())
        except ValueError as error:
            # matplotlib interprets text between two dollar signs as a formula.
            raise DataError(
                f'{path}: a name in the figure is not a valid formula: remove its $ ({one_line(error)})'
            ) from error


def svg_uri(figure) -> str:
    """A ``matplotlib.figure.Figure`` as a ``data:`` URI; equal figures give equal URIs."""
    import matplotlib

    file = io.BytesIO()
    # Without these, ids are random and the file contains the date.
    with matplotlib.rc_context({'svg.hashsalt': 'imcnn_plugin'}):
        figure.savefig(file, format='svg', metadata=dict(Date=None))
    return data_uri(file.getvalue(), 'image/svg+xml')


def _new_figure(width: float, height: float):
    """An empty ``matplotlib.figure.Figure``, size in inches. matplotlib is slow to import, so only figures do so."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained')


def _add_grid(axis, which: str = 'both') -> None:
    axis.grid(axis=which, color='#DDDDDD', linewidth=0.6)
    axis.set_axisbelow(True)
