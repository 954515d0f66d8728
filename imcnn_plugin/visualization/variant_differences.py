"""What variants of a sweep gain over its baseline, as a picture."""

from pathlib import Path
from typing import Dict, Optional, Sequence, Union

import numpy as np

from ..experiments.results_table import Interval
from .figure_file import COLOURS, save_figure

# What is drawn for a variant, top to bottom.
KINDS = (
    dict(label='all attributes', color=COLOURS[6], marker='D'),
    dict(label='attributes that stay with a person', color=COLOURS[0], marker='o'),
    dict(label='attributes that pass', color=COLOURS[1], marker='s'),
)


def plot_sweep_differences(differences: Dict[str, Sequence[Optional[Interval]]], baseline: str):
    """A ``matplotlib.figure.Figure``: of each variant three differences, in points, with their intervals.

    Args:
        differences: Of :class:`~imcnn_plugin.experiments.results_table.SweepTable`.
        baseline: The name of what the variants are compared with.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.6 + 0.55 * len(differences)), layout='constrained')
    axis = figure.subplots()
    axis.axvline(0, color='#57606A', linewidth=1)
    for k, style in enumerate(KINDS):
        # Where there are no such attributes, or fewer than two persons, there is nothing or no interval to draw.
        found = [kinds[k] or (np.nan,) * 3 for kinds in differences.values()]
        value, low, high = np.reshape(found, (-1, 3)).T
        height = np.arange(len(found)) + 0.22 * (k - 1)
        axis.hlines(height, low, high, color=style['color'], linewidth=1.6)
        axis.plot(value, height, linestyle='', markersize=5, **style)
    axis.set_yticks(range(len(differences)), list(differences))
    axis.set_ylim(max(1, len(differences)) - 0.5, -0.5)
    axis.set_xlabel(f'difference to {baseline} (points), 95 % over persons')
    axis.grid(axis='x', color='#DDDDDD', linewidth=0.6)
    axis.set_axisbelow(True)
    figure.legend(loc='outside upper center', ncols=3, fontsize=9)
    return figure


def draw_sweep_differences(
    differences: Dict[str, Sequence[Optional[Interval]]], baseline: str, path: Union[str, Path]
) -> None:
    """Writes the picture of :func:`plot_sweep_differences`; raises what ``save_figure`` does."""
    save_figure(plot_sweep_differences(differences, baseline), path)
