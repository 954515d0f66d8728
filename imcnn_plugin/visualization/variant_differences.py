"""Differences between the variants of a sweep and its baseline."""

from typing import Dict, Optional, Sequence

import numpy as np

from ..experiments.results_table import Interval
from .figure_utils import COLORS, UNKNOWN, _add_grid, _new_figure

# The lines of a variant, from top to bottom.
KINDS = (
    dict(label='all attributes', color=COLORS[6], marker='D'),
    dict(label='identity-stable attributes', color=COLORS[0], marker='o'),
    dict(label='transient attributes', color=COLORS[1], marker='s'),
)


def plot_variant_differences(differences: Dict[str, Sequence[Optional[Interval]]], baseline: str):
    """Draws accuracy differences from the baseline, with intervals, as a ``matplotlib.figure.Figure``.

    Each variant has a difference over all, over identity-stable and over transient attributes.

    Args:
        differences: From :class:`~imcnn_plugin.experiments.results_table.SweepTable`, percentage points.
        baseline: The baseline's name.
    """
    figure = _new_figure(8, 1.6 + 0.55 * len(differences))
    axis = figure.subplots()
    axis.axvline(0, color=UNKNOWN, linewidth=1)
    for k, style in enumerate(KINDS):
        # No value without such attributes, no interval with fewer than two identities.
        found = [kinds[k] or (np.nan,) * 3 for kinds in differences.values()]
        value, low, high = np.reshape(found, (-1, 3)).T
        height = np.arange(len(found)) + 0.22 * (k - 1)
        axis.hlines(height, low, high, color=style['color'], linewidth=1.6)
        axis.plot(value, height, linestyle='', markersize=5, **style)
    axis.set_yticks(range(len(differences)), list(differences))
    axis.set_ylim(max(1, len(differences)) - 0.5, -0.5)
    axis.set_xlabel(f'accuracy difference from {baseline} (points),\n95 % interval over identities')
    _add_grid(axis, 'x')
    figure.legend(loc='outside upper center', ncols=3, fontsize=9)
    return figure
