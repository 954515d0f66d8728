"""The paper's Fig. 4: loss and accuracy of trainings with different lambda.

The paper also draws the loss on validation, which mmengine's validation does not compute: there is no such curve here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Sequence, Tuple, Union

import numpy as np

from ..engine.training_log import mean_by_key, read_log
from ..errors import DataError
from .figure_file import COLOURS, UNKNOWN, save_figure

MARKERS = 'osD^vPX'
LINES = ('-', '--', ':')


@dataclass(frozen=True)
class Curves:
    """A training by epochs, which count from 1."""

    name: str
    train_epochs: np.ndarray  # (E, )
    loss: np.ndarray  # (E, ) mean LOSS_ATTR of an epoch, summed over the attributes, in nats
    val_epochs: np.ndarray  # (V, )
    accuracy: np.ndarray  # (V, ) mean accuracy on validation, percent


def read_curves(name: str, work_dir: Union[str, Path]) -> Curves:
    """What a training logged. Of a training that was resumed or begun anew, each epoch's latest figures.

    Args:
        name: A name for it; lambda, to have it among the accuracies against lambda.
        work_dir: Holds ``<time>/vis_data/scalars.json`` for each start.

    Raises:
        DataError: There is no such file, a line of it cannot be read, or there is no ``loss_attr`` by epochs in it.
    """
    log = read_log(work_dir)
    if log is None:
        raise DataError(f'{work_dir}: no <time>/vis_data/scalars.json there: give the work folder of a training')
    if 'loss_attr' not in log.train or log.unit != 'epoch':
        raise DataError(f"{work_dir}: in its scalars.json no line has 'epoch' and 'loss_attr'")
    return Curves(name, *log.train['loss_attr'], *log.val.get('mean_accuracy', mean_by_key([])))


def read_lambda(name: str) -> float:
    """The name as a number; NaN for other names and for numbers below 0."""
    try:
        value = float(name)
    except ValueError:
        return np.nan
    return value if 0 <= value < np.inf else np.nan


def caption(name: str) -> str:
    """The name, and what it is where it is a lambda."""
    return name if np.isnan(read_lambda(name)) else f'λ = {name}'


def plot_lambda_curves(runs: Sequence[Curves]):
    """A ``matplotlib.figure.Figure``: LOSS_ATTR in training and accuracy on validation, by epochs.

    A third part has the accuracy after the last epoch by lambda, where names are numbers; the line joins the means of
    trainings with the same lambda.
    """
    from matplotlib.figure import Figure

    runs = sorted(runs, key=lambda run: np.nan_to_num(read_lambda(run.name), nan=np.inf))
    final = [(read_lambda(run.name), run.accuracy[-1], i) for i, run in enumerate(runs) if len(run.accuracy)]
    final = sorted(point for point in final if not np.isnan(point[0]))
    figure = Figure(figsize=(15 if final else 10.5, 4.6), layout='constrained')
    losses, accuracies, *rest = figure.subplots(1, 3 if final else 2)
    styles = [
        dict(color=COLOURS[i % 7], linestyle=LINES[i // 7 % 3], marker=MARKERS[i % 7], markersize=5)
        for i in range(len(runs))
    ]
    for run, style in zip(runs, styles):
        word = caption(run.name)
        losses.plot(run.train_epochs, run.loss, label=word, **style)
        accuracies.plot(run.val_epochs, run.accuracy, label=word, **style)
    losses.set(title='training, mean of an epoch', ylabel='LOSS_ATTR (sum over attributes, nats)')
    accuracies.set(title='validation', ylabel='mean accuracy (%)')
    for axis in (losses, accuracies):
        axis.set_xlabel('epoch')
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(fontsize=9)
    if final:
        plot_by_lambda(rest[0], final, styles)
    for axis in figure.axes:
        axis.grid(color='#DDDDDD', linewidth=0.6)
        axis.set_axisbelow(True)
    return figure


def plot_by_lambda(axis, final: Sequence[Tuple[float, float, int]], styles: Sequence[dict]) -> None:
    """Draws accuracies by lambda, and the means of those with the same lambda.

    Args:
        axis: Where.
        final: Lambda, accuracy and the number of a style, sorted.
        styles: How each training's curves are drawn.
    """
    values, means = mean_by_key([point[:2] for point in final])
    axis.plot(values, means, color=UNKNOWN, linewidth=1, zorder=1)
    for value, accuracy, i in final:
        axis.plot(value, accuracy, marker=styles[i]['marker'], color=styles[i]['color'], markersize=8, linestyle='')
    for value, mean in zip(values, means):
        top = max(point[1] for point in final if point[0] == value)
        axis.annotate(f'{mean:.2f}', (value, top), (0, 9), textcoords='offset points', ha='center', fontsize=9)
    # Even near 0, for which a logarithm has no place, and by powers of ten from there.
    start = min([0.1, *values[values > 0]])
    axis.set_xscale('symlog', linthresh=start)
    axis.set(xlim=(-0.4 * start, 2.5 * max(40, values.max())), title='validation, after the last epoch')
    axis.set(xlabel='λ, the weight of LOSS_ID', ylabel='mean accuracy (%)')
    ticks = np.unique([0, 1, 40, *values])
    axis.set_xticks(ticks, [f'{tick:g}' for tick in ticks], minor=False)
    axis.set_xticks([], minor=True)
    axis.margins(y=0.15)


def draw_lambda_curves(runs: Sequence[Curves], path: Union[str, Path]) -> None:
    """Writes the picture of :func:`plot_lambda_curves`; raises what ``save_figure`` does."""
    save_figure(plot_lambda_curves(runs), path)
