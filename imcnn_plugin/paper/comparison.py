"""Compares the paper's Table 3 with measured accuracies."""

import re
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from ..evaluation import nan_mean
from .expectations import list_expectations
from .measured_results import MeasuredResults
from .published import DATASETS, PublishedTable, find_errors, find_misprints

ERRORS_TITLE = "Errors in the paper's table as printed"
EXPECTATIONS_TITLE = 'Which printed figures to expect, and which not'
PRINTED, MEASURED, DIFFERENCE = 'printed', 'measured', 'difference'
# The rows of a table; the last two are averages over the attributes.
ROWS = (*ATTRIBUTES, 'average as printed', 'mean')


@dataclass(frozen=True)
class Column:
    """A column of a table, with one cell for each of ``ROWS``.

    Args:
        dataset: Name of the dataset.
        source: ``PRINTED``, ``MEASURED`` or ``DIFFERENCE``.
        name: Name of the system or model; may have several lines.
        cells: The 42 cells.
        values: The values of the cells ``(42, )``, NaN if a cell has none.
        is_model: False for the majority-class baseline.
    """

    dataset: str
    source: str
    name: str
    cells: List[str]
    values: np.ndarray
    is_model: bool = True

    @property
    def heading(self) -> str:
        """Dataset, source and name, one per line."""
        return f'{self.dataset}\n{self.source}\n{self.name}'


@dataclass(frozen=True)
class Table:
    """Columns from left to right, without the column of row names."""

    caption: str
    columns: List[Column]


@dataclass(frozen=True)
class Comparison:
    """Tables, lists of remarks by title, and the rows of the measured runs."""

    tables: List[Table]
    remarks: Dict[str, List[str]]
    rows: List[dict]


def compare(
    table: PublishedTable, results: Sequence[MeasuredResults] = (), dataset: Optional[str] = None
) -> Comparison:
    """Lists for each dataset the published columns, one column per measured model, and the majority-class baseline.

    A second table has the measured minus the printed accuracies of models that are named after a printed system.

    Args:
        table: The published table.
        results: Measured results.
        dataset: The only dataset to show, a key of :data:`~imcnn_plugin.paper.DATASETS`. Defaults to all.

    Raises:
        DataError: There are no results on the dataset.
    """
    datasets = [dataset] if dataset else list(DATASETS)
    shown = [model for model in results if model.dataset in datasets]
    if results and not shown:
        raise DataError(f'no file is of a test on {DATASETS[dataset]}: show the dataset of the files, or both')
    columns: List[Column] = []
    differences: List[Column] = []
    for key in datasets:
        models = [model for model in shown if model.dataset == key]
        columns += [_printed_column(table, (key, system)) for system in table.systems(key)]
        columns += [_measured_column(model) for model in models]
        columns += _baseline_columns(models)
        differences += _difference_columns(table, models)
    tables = [Table('Accuracy in percent', columns)]
    if differences:
        caption = 'Measured minus printed accuracy in percentage points; * the printed value is an error'
        tables.append(Table(caption, differences))
    remarks = {
        'Measured': [_describe(table, model) for model in shown],
        EXPECTATIONS_TITLE: list_expectations(table, shown, datasets),
        ERRORS_TITLE: find_errors(table, datasets),
    }
    rows = [row for model in shown for row in model.rows]
    return Comparison(tables, {title: lines for title, lines in remarks.items() if lines}, rows)


def _printed_column(table: PublishedTable, key: Tuple[str, str]) -> Column:
    values, average = table.values[key], table.averages[key]
    cells = [table.show(key, value) for value in (*values, average)]
    values = np.array([*values, average, values.mean()])
    return Column(DATASETS[key[0]], PRINTED, key[1], [*cells, f'{values[-1]:.2f}'], values)


def _measured_column(model: MeasuredResults) -> Column:
    runs = len(model.accuracy)
    # Runs on different folds or halves differ by more than the seed.
    kind = 'seeds' if len(set(model.evaluated_on)) == 1 else 'runs'
    name = model.name + (f'\n{runs} {kind}' if runs > 1 else '')
    return _column_of_runs(model.dataset, name, model.accuracy)


def _column_of_runs(dataset: str, name: str, values: np.ndarray, is_model: bool = True) -> Column:
    """A column of percentages ``(runs, 40)``."""
    means = nan_mean(values)
    cells = [*map(_mean_and_std, values.T), '', _mean_and_std(means)]
    values = np.array([*nan_mean(values, 0), np.nan, nan_mean(means)])
    return Column(DATASETS[dataset], MEASURED, name, cells, values, is_model)


def _mean_and_std(runs: np.ndarray) -> str:
    """Mean of the defined values, with the sample standard deviation if there are several; '-' for none."""
    runs = runs[~np.isnan(runs)]
    if not len(runs):
        return '-'
    return f'{runs.mean():.2f}' + (f' ± {runs.std(ddof=1):.2f}' if len(runs) > 1 else '')


def _baseline_columns(results: Sequence[MeasuredResults]) -> List[Column]:
    """One column if all models were evaluated on the same images, otherwise one per test split with its size."""
    splits: Dict[bytes, Dict[bytes, Tuple[np.ndarray, int]]] = {}
    for model in results:
        # Runs on the same test images have the same baseline. Rows that were read from a file are rounded.
        runs = {
            run.round(4).tobytes(): (run, row['num_images']) for run, row in zip(model.majority_baseline, model.rows)
        }
        splits.setdefault(b''.join(sorted(runs)), runs)
    columns = []
    for runs in splits.values():
        baselines, sizes = zip(*runs.values())
        images = f'of {" and ".join(f"{size:,}" for size in sizes)} images'
        name = 'majority' + (f'\n{images}' if len(splits) > 1 else '')
        columns.append(_column_of_runs(results[0].dataset, name, np.array(baselines), False))
    return columns


def _difference_columns(table: PublishedTable, models: Sequence[MeasuredResults]) -> Iterator[Column]:
    """Measured minus printed accuracies of models named after a system, such as 'IMCNN, zero-shot'."""
    for model in models:
        names = {system.lower(): system for system in table.systems(model.dataset)}
        system = names.get(re.split('[,(]', model.name)[0].strip().lower())
        if system:
            key = model.dataset, system
            measured = nan_mean(model.accuracy, 0)
            mean = nan_mean(nan_mean(model.accuracy))
            values = np.array(
                [*(measured - table.values[key]), mean - table.averages[key], mean - table.values[key].mean()]
            )
            stars = ['*' if misprint else '' for misprint in find_misprints(table, key)] + ['', '']
            cells = ['-' if np.isnan(value) else f'{value:+.2f}{star}' for value, star in zip(values, stars)]
            yield Column(DATASETS[model.dataset], DIFFERENCE, model.name, cells, values)


def _describe(table: PublishedTable, model: MeasuredResults) -> str:
    """Describes a model's test data, where it is below the majority-class baseline, and similar printed columns."""
    accuracy = nan_mean(model.accuracy, 0)
    # The same value may differ in the last bit if it was computed differently.
    below = accuracy < nan_mean(model.majority_baseline, 0) - 1e-9
    names = [name for name, worse in zip(ATTRIBUTES, below) if worse]
    listed = f' ({", ".join(names)})' if names else ''
    split = '; '.join(dict.fromkeys(model.evaluated_on))
    text = f'{DATASETS[model.dataset]}, {model.name}: {split}'
    text += f'; below the majority-class baseline on {len(names)} of 40{listed}'
    known = ~np.isnan(accuracy)
    if not known.any() or not np.ptp(accuracy[known]):
        # There is no correlation.
        return text
    systems = table.systems(model.dataset)
    correlations = [
        np.corrcoef(accuracy[known], table.values[model.dataset, system][known])[0, 1] for system in systems
    ]
    best = int(np.argmax(correlations))
    return f'{text}; by attribute most like the printed {systems[best]} (correlation {correlations[best]:.2f})'
