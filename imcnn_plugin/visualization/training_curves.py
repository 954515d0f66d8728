"""The curves of a run's log."""

from typing import Dict, Iterator

from ..engine.training_log import Curve, TrainingLog
from .figure_utils import COLORS, UNKNOWN, _add_grid, _new_figure

# Longer curves have no markers.
MAX_MARKERS = 40
# Keys of a log, and their names in a legend.
LOSSES = dict(loss_attr='LOSS_ATTR', loss_id='λ LOSS_ID', loss='loss')
METRICS = dict(mean_balanced_accuracy='balanced accuracy', mAP='average precision', mean_f1='F1')


def plot_training_curves(log: TrainingLog) -> Iterator[tuple]:
    """Yields up to three figures, ``matplotlib.figure.Figure``, with captions: losses, accuracy, further metrics."""
    losses = {name: log.train[key] for key, name in LOSSES.items() if key in log.train}
    if len(losses) > 1:
        # The sum of the others.
        losses.pop('loss', None)
    if losses:
        yield _plot_curves(losses, log.unit, 'loss (nats)'), f'Training losses, mean of each {log.unit}'
    if 'mean_accuracy' in log.val:
        curve = log.val['mean_accuracy']
        figure = _plot_curves({'mean accuracy': curve}, log.unit, 'accuracy (%)')
        if 'majority_baseline' in log.val:
            [axis] = figure.axes
            baseline = log.val['majority_baseline'][1][-1]
            axis.axhline(baseline, color=UNKNOWN, linestyle='--', label='majority-class baseline')
            axis.legend(fontsize=9)
        yield figure, f'Validation: mean accuracy, {curve[1][-1]:.2f} % at the end'
    if 'mean_balanced_accuracy' in log.val:
        metrics = {name: log.val[key] for key, name in METRICS.items() if key in log.val}
        figure = _plot_curves(metrics, log.unit, 'mean (%)')
        yield figure, 'Validation: balanced accuracy, average precision and F1'


def _plot_curves(curves: Dict[str, Curve], unit: str, label: str):
    # Narrow enough for a phone.
    figure = _new_figure(4.6, 3.3)
    axis = figure.subplots()
    for (name, curve), color, marker in zip(curves.items(), COLORS, 'osD^'):
        style = dict(marker=marker, markersize=4) if len(curve[0]) <= MAX_MARKERS else {}
        axis.plot(*curve, label=name, color=color, **style)
    axis.set(xlabel=unit, ylabel=label)
    axis.locator_params('x', integer=True)
    axis.legend(fontsize=9)
    _add_grid(axis)
    return figure
