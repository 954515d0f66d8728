"""The paper's Table 3 beside measured accuracies."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

import numpy as np

from ..attributes import ATTRIBUTES
from .measured_results import MeasuredRun
from .published import SETS, PublishedTable, find_errors

NOTES = "What is wrong in the paper's table as it is printed"


@dataclass(frozen=True)
class Column:
    """A heading, whose lines ``\\n`` parts, 40 cells, and the cells of the last two rows."""

    heading: str
    cells: List[str]
    average: str
    mean: str


@dataclass(frozen=True)
class Comparison:
    """A table, its columns from left to right, and titled lists of remarks on it."""

    columns: List[Column]
    remarks: Dict[str, List[str]]


def compare(table: PublishedTable, runs: Sequence[MeasuredRun] = (), subset: Optional[str] = None) -> Comparison:
    """Printed columns, then one for each run, then the majority baseline of the images that the runs were tested on.

    Args:
        subset: Key of ``SETS``. By default CelebA beside runs, and both sets where there are none.
    """
    sets = [subset] if subset else list(SETS)[:1] if runs else list(SETS)
    columns = [Column('attribute (%)', list(ATTRIBUTES), 'average as printed', 'mean')]
    for key, values in table.values.items():
        if key[0] in sets:
            cells = [table.show(key, value) for value in values]
            heading = f'{SETS[key[0]]}\n{key[1]}'
            columns.append(Column(heading, cells, table.show(key, table.averages[key]), f'{values.mean():.2f}'))
    for run in runs:
        seeds = len(run.accuracy)
        columns.append(measured(run.name + (f'\n{seeds} seeds' if seeds > 1 else ''), run.accuracy))
    columns += majority_columns(runs)
    remarks = dict(Measured=[describe(run) for run in runs], **{NOTES: find_errors(table, sets)})
    return Comparison(columns, {title: lines for title, lines in remarks.items() if lines})


def measured(heading: str, values: np.ndarray) -> Column:
    """A column of measured percentages ``(seeds, 40)``."""
    return Column(heading, [show(seeds) for seeds in values.T], '', show(mean_of_defined(values, 1)))


def mean_of_defined(values: np.ndarray, axis: int) -> np.ndarray:
    """Means of what is not NaN; NaN where nothing is."""
    return np.ma.masked_invalid(values).mean(axis).filled(np.nan)


def show(seeds: np.ndarray) -> str:
    """The mean of what is not NaN, with the sample standard deviation where there are several; '-' for nothing."""
    seeds = seeds[~np.isnan(seeds)]
    if not len(seeds):
        return '-'
    return f'{seeds.mean():.2f}' + (f' ± {seeds.std(ddof=1):.2f}' if len(seeds) > 1 else '')


def majority_columns(runs: Sequence[MeasuredRun]) -> List[Column]:
    """One column where all runs were tested on the same images, else one for each test part and the runs on it."""
    parts = []
    for run in runs:
        baseline = run.majority_baseline
        # Seeds share their test images, unless they are folds.
        if all(np.array_equal(seed, baseline[0], equal_nan=True) for seed in baseline):
            baseline = baseline[:1]
        for known, names in parts:
            if np.array_equal(known, baseline, equal_nan=True):
                names.append(run.name)
                break
        else:
            parts.append((baseline, [run.name]))
    return [
        measured('majority' if len(parts) == 1 else f'majority\n{", ".join(names)}', baseline)
        for baseline, names in parts
    ]


def describe(run: MeasuredRun) -> str:
    """What a run was tested on, and where it is no better than always giving the label that is more frequent."""
    # The same count of images over two ways of dividing may differ in the last bit.
    below = mean_of_defined(run.accuracy, 0) < mean_of_defined(run.majority_baseline, 0) - 1e-9
    names = [name for name, worse in zip(ATTRIBUTES, below) if worse]
    words = [part for part in dict.fromkeys(run.parts) if part]
    words.append(f'below the majority label on {len(names)} of 40' + (f' ({", ".join(names)})' if names else ''))
    return f'{run.name}: {"; ".join(words)}'
