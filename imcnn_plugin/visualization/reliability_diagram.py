import numpy as np

from ..evaluation import Reliability
from .figure_utils import COLORS, UNKNOWN, _add_grid, _new_figure


def plot_reliability(bins: Reliability):
    """Draws a reliability diagram, accuracy by confidence above labels per bin, as a ``matplotlib.figure.Figure``."""
    figure = _new_figure(4.6, 4.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color=UNKNOWN, linestyle='--', label='perfect calibration')
    filled = bins.count > 0
    confidence, accuracy = bins.confidence[filled], bins.accuracy[filled]
    upper.plot(confidence, accuracy, color=COLORS[0], marker='o', markersize=4, label='model')
    upper.set(ylabel='fraction of positives', xlim=(0, 1), ylim=(0, 1))
    upper.legend(fontsize=9, loc='upper left')
    edges = np.linspace(0, 1, len(bins.count) + 1)
    lower.bar(edges[:-1], bins.count, width=edges[1], align='edge', color=COLORS[4], edgecolor='white')
    # Without known labels there is nothing to scale.
    lower.set(xlabel='predicted probability', ylabel='labels', yscale='log' if filled.any() else 'linear')
    for axis in (upper, lower):
        _add_grid(axis)
    return figure
