"""The pictures of a report, narrow enough for a telephone: SVG that is always the same for the same numbers."""

import base64
import io
from typing import Dict, Iterator, Tuple

import numpy as np

from ..engine.training_log import Curve, TrainingLog
from ..evaluation.calibration import Reliability
from .figure_file import COLOURS, UNKNOWN

SIZE = (4.6, 3.3)
# More points than these are a line without markers.
MARKED = 40
# Keys in a log, and what they are called in a picture.
LOSSES = dict(loss_attr='LOSS_ATTR', loss_id='λ LOSS_ID', loss='loss')
METRICS = dict(mean_balanced_accuracy='balanced accuracy', mAP='average precision', mean_f1='F1')


def log_figures(log: TrainingLog) -> Iterator[Tuple[str, str]]:
    """Addresses of pictures, and what they show."""
    if log.train:
        yield svg_address(plot_losses(log.train, log.unit)), f'Training losses, the mean of each {log.unit}'
    if 'mean_accuracy' in log.val:
        last = log.val['mean_accuracy'][1][-1]
        yield svg_address(plot_accuracy(log.val, log.unit)), f'Validation: mean accuracy, {last:.2f} % at the end'
    if 'mean_balanced_accuracy' in log.val:
        yield svg_address(plot_metrics(log.val, log.unit)), 'Validation: balanced accuracy, average precision and F1'


def plot_losses(train: Dict[str, Curve], unit: str):
    """A ``matplotlib.figure.Figure`` of the losses in training; their sum only where it is not one of them."""
    names = [key for key in LOSSES if key in train]
    parts = names[:-1] if len(names) > 1 and names[-1] == 'loss' else names
    return plot_lines({LOSSES[key]: train[key] for key in parts}, unit, 'loss (nats)')


def plot_accuracy(val: Dict[str, Curve], unit: str):
    """A ``matplotlib.figure.Figure`` of the mean accuracy on validation, and the majority label's."""
    figure = plot_lines({'mean accuracy': val['mean_accuracy']}, unit, 'accuracy (%)')
    if 'majority_baseline' in val:
        epochs, values = val['majority_baseline']
        [axis] = figure.axes
        axis.axhline(values[-1], color=UNKNOWN, linestyle='--', label='majority label')
        axis.legend(fontsize=9)
    return figure


def plot_metrics(val: Dict[str, Curve], unit: str):
    """A ``matplotlib.figure.Figure`` of what accuracy hides where most labels are off."""
    return plot_lines({word: val[key] for key, word in METRICS.items() if key in val}, unit, 'mean (%)')


def plot_lines(curves: Dict[str, Curve], unit: str, label: str):
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout='constrained')
    axis = figure.subplots()
    for (word, (numbers, values)), colour, marker in zip(curves.items(), COLOURS, 'osD^'):
        axis.plot(
            numbers, values, label=word, color=colour, marker=marker if len(numbers) <= MARKED else '', markersize=4
        )
    axis.set(xlabel=unit, ylabel=label)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.legend(fontsize=9)
    axis.grid(color='#DDDDDD', linewidth=0.6)
    axis.set_axisbelow(True)
    return figure


def plot_reliability(bins: Reliability):
    """A ``matplotlib.figure.Figure``: how often labels are on by their probabilities, and how many there are."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0], 4.6), layout='constrained')
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.plot((0, 1), (0, 1), color=UNKNOWN, linestyle='--', label='as promised')
    filled = bins.count > 0
    upper.plot(
        bins.promised[filled], bins.happened[filled], color=COLOURS[0], marker='o', markersize=4, label='measured'
    )
    upper.set(ylabel='share that is on', xlim=(0, 1), ylim=(0, 1))
    upper.legend(fontsize=9, loc='upper left')
    edges = np.linspace(0, 1, len(bins.count) + 1)
    lower.bar(edges[:-1], bins.count, width=edges[1], align='edge', color=COLOURS[4], edgecolor='white')
    lower.set(xlabel='probability', ylabel='labels', yscale='log')
    for axis in (upper, lower):
        axis.grid(color='#DDDDDD', linewidth=0.6)
        axis.set_axisbelow(True)
    return figure


def svg_address(figure) -> str:
    """A ``matplotlib.figure.Figure`` as a ``data:`` address."""
    import matplotlib

    file = io.StringIO()
    # Else the names inside are drawn by chance, and the date is written.
    with matplotlib.rc_context({'svg.hashsalt': 'imcnn_plugin'}):
        figure.savefig(file, format='svg', metadata=dict(Date=None))
    return 'data:image/svg+xml;base64,' + base64.b64encode(file.getvalue().encode()).decode()
