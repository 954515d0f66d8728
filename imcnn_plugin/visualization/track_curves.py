from typing import Dict, Sequence

import numpy as np

from .figure_utils import COLORS, UNKNOWN, _add_grid, _new_figure, spaced

# Maximum number of attributes that are drawn.
MAX_CURVES = 6


def plot_track_curves(
    times: Sequence[float], probabilities: Dict[str, Sequence[float]], thresholds: Dict[str, float], title: str
):
    """Draws how a person's attributes change over time, as a ``matplotlib.figure.Figure``.

    Attributes that cross their threshold are drawn, those that vary most first. If there are fewer than three, the
    most varying of the others are added. A curve has a gap if the person is not visible for more than a second.

    Args:
        times: N times in seconds, in order.
        probabilities: N probabilities by the names of the attributes.
        thresholds: Thresholds of the attributes; a curve is thick above its threshold.
        title: Title of the figure.
    """
    times = np.asarray(times, float)
    values = {name: np.asarray(curve, float) for name, curve in probabilities.items()}
    crosses = {name: curve.min() < thresholds[name] <= curve.max() for name, curve in values.items()}
    order = sorted(values, key=lambda name: (not crosses[name], -values[name].std()))
    chosen = order[: int(np.clip(sum(crosses.values()), 3, MAX_CURVES))]
    gaps = np.flatnonzero(np.diff(times) > 1) + 1
    figure = _new_figure(7.5, 3.6)
    axis = figure.subplots()
    x = np.insert(times, gaps, np.nan)
    for name, color in zip(chosen, COLORS):
        y = np.insert(values[name], gaps, np.nan)
        axis.plot(x, y, color=color, linewidth=1, label=spaced(name))
        # A single point is visible, too.
        axis.plot(x, np.where(y >= thresholds[name], y, np.nan), color=color, linewidth=3, marker='o', markersize=3)
        axis.axhline(thresholds[name], color=UNKNOWN, linestyle=':', linewidth=0.8)
    axis.set(xlabel='seconds', ylabel='probability', ylim=(-0.02, 1.02), title=title)
    axis.legend(fontsize=9, loc='center left', bbox_to_anchor=(1, 0.5))
    _add_grid(axis)
    return figure
