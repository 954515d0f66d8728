"""The paper's Fig. 4: loss and accuracy of runs with different lambda.

The paper also plots the validation loss, which mmengine's validation loop does not compute.
"""

from typing import Sequence, Tuple

import numpy as np

from ..engine.training_log import TrainingLog, mean_by_key
from .figure_utils import UNKNOWN, _add_grid, _line_style, _new_figure

MARKERS = 'osD^vPX'


def plot_lambda_curves(runs: Sequence[Tuple[str, TrainingLog]]):
    """Draws LOSS_ATTR in training and accuracy in validation by epoch as a ``matplotlib.figure.Figure``.

    If names are numbers, a third panel plots the accuracy after the last epoch against that number, lambda; its line
    joins the means over runs with equal lambda. Runs without validation only have a loss.

    Args:
        runs: Names and logs; the logs have ``loss_attr`` by epoch.
    """
    runs = sorted(runs, key=lambda run: np.nan_to_num(_read_lambda(run[0]), nan=np.inf))
    final = sorted(
        (_read_lambda(name), log.val['mean_accuracy'][1][-1], i)
        for i, (name, log) in enumerate(runs)
        if 'mean_accuracy' in log.val and not np.isnan(_read_lambda(name))
    )
    validated = any('mean_accuracy' in log.val for _, log in runs)
    panels = 1 + validated + bool(final)
    figure = _new_figure(5 * panels, 4.6)
    losses, *rest = figure.subplots(1, panels, squeeze=False)[0]
    styles = [dict(_line_style(i), marker=MARKERS[i % len(MARKERS)], markersize=5) for i in range(len(runs))]
    for (name, log), style in zip(runs, styles):
        losses.plot(*log.train['loss_attr'], label=_run_label(name), **style)
        if 'mean_accuracy' in log.val:
            rest[0].plot(*log.val['mean_accuracy'], label=_run_label(name), **style)
    losses.set(title='training, mean of each epoch', ylabel='LOSS_ATTR (sum over attributes, nats)')
    if validated:
        rest[0].set(title='validation', ylabel='mean accuracy (%)')
    for axis in (losses, *rest[:1]):
        axis.set_xlabel('epoch')
        axis.locator_params('x', integer=True)
        axis.legend(fontsize=9)
    if final:
        _plot_by_lambda(rest[1], final, styles)
    for axis in figure.axes:
        _add_grid(axis)
    return figure


def _plot_by_lambda(axis, final: Sequence[Tuple[float, float, int]], styles: Sequence[dict]) -> None:
    """Draws accuracies and their means by lambda; ``final`` has lambda, accuracy and index of the style per run."""
    values, means = mean_by_key([point[:2] for point in final])
    axis.plot(values, means, color=UNKNOWN, linewidth=1, zorder=1)
    for value, accuracy, i in final:
        axis.plot(value, accuracy, marker=styles[i]['marker'], color=styles[i]['color'], markersize=8, linestyle='')
    for value, mean in zip(values, means):
        top = max(point[1] for point in final if point[0] == value)
        axis.annotate(f'{mean:.2f}', (value, top), (0, 9), textcoords='offset points', ha='center', fontsize=9)
    # Linear near 0, which a logarithmic axis cannot show.
    start = min([0.1, *values[values > 0]])
    axis.set_xscale('symlog', linthresh=start)
    axis.set(xlim=(-0.4 * start, 2.5 * max(40, values.max())), title='validation, after the last epoch')
    axis.set(xlabel='λ, the weight of LOSS_ID', ylabel='mean accuracy (%)')
    ticks = np.unique([0, 1, 40, *values])
    axis.set_xticks(ticks, [f'{tick:g}' for tick in ticks], minor=False)
    axis.set_xticks([], minor=True)
    axis.margins(y=0.15)


def _read_lambda(name: str) -> float:
    """The name as a number; NaN for other names and for numbers below 0."""
    try:
        value = float(name)
    except ValueError:
        return np.nan
    return value if 0 <= value < np.inf else np.nan


def _run_label(name: str) -> str:
    return name if np.isnan(_read_lambda(name)) else f'λ = {name}'
