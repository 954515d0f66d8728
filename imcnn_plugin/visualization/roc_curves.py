from typing import Dict

from ..evaluation import Verification
from .figure_utils import _add_grid, _line_style, _new_figure


def plot_roc_curves(results: Dict[str, Verification]):
    """Draws ROC curves by name as a ``matplotlib.figure.Figure``."""
    figure = _new_figure(6.5, 5.5)
    axis = figure.subplots()
    for i, (name, result) in enumerate(results.items()):
        label = f'{name}: {result.mean:.1f} %, area {result.auc:.3f}'
        axis.plot(100 * result.false_accepts, 100 * result.true_accepts, label=label, **_line_style(i))
    axis.plot([0, 100], [0, 100], color='#8C959F', linewidth=0.8)
    axis.set(
        xlabel='pairs of two people taken for one (%)', ylabel='pairs of one person taken for one (%)',
        xlim=(0, 100), ylim=(0, 100),
    )  # fmt: skip
    axis.legend(loc='lower right', fontsize=9)
    _add_grid(axis)
    return figure
