"""The paper's Table 3 beside measured accuracies."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..evaluation import nan_mean
from .measured_results import MeasuredResults
from .published import DATASETS, PublishedTable, find_errors

ERRORS_TITLE = "Errors in the paper's table as printed"


@dataclass(frozen=True)
class Column:
    """A heading, which may have several lines, 40 cells, and the cells of the last two rows."""

    heading: str
    cells: List[str]
    average: str
    mean: str


@dataclass(frozen=True)
class Comparison:
    """A table as columns from left to right, and lists of remarks by title."""

    columns: List[Column]
    remarks: Dict[str, List[str]]


def compare(
    table: PublishedTable, results: Sequence[MeasuredResults] = (), dataset: Optional[str] = None
) -> Comparison:
    """Published columns, then one per measured model, then the majority-class baseline of the evaluated images.

    Args:
        table: The published table.
        results: Measured results.
        dataset: Key of :data:`~imcnn_plugin.paper.DATASETS`. Defaults to CelebA with results, to both without.
    """
    datasets = [dataset] if dataset else list(DATASETS)[:1] if results else list(DATASETS)
    columns = [Column('attribute (%)', list(ATTRIBUTES), 'average as printed', 'mean')]
    for key, values in table.values.items():
        if key[0] in datasets:
            cells = [table.show(key, value) for value in values]
            heading = f'{DATASETS[key[0]]}\n{key[1]}'
            columns.append(Column(heading, cells, table.show(key, table.averages[key]), f'{values.mean():.2f}'))
    for model in results:
        seeds = len(model.accuracy)
        columns.append(_measured_column(model.name + (f'\n{seeds} seeds' if seeds > 1 else ''), model.accuracy))
    columns += _baseline_columns(results)
    remarks = dict(Measured=[_describe(model) for model in results], **{ERRORS_TITLE: find_errors(table, datasets)})
    return Comparison(columns, {title: lines for title, lines in remarks.items() if lines})


def _measured_column(heading: str, values: np.ndarray) -> Column:
    """A column of percentages ``(seeds, 40)``."""
    return Column(heading, [_mean_and_std(seeds) for seeds in values.T], '', _mean_and_std(nan_mean(values)))


def _mean_and_std(seeds: np.ndarray) -> str:
    """Mean of the defined values, with the sample standard deviation if there are several; '-' for none."""
    seeds = seeds[~np.isnan(seeds)]
    if not len(seeds):
        return '-'
    return f'{seeds.mean():.2f}' + (f' ± {seeds.std(ddof=1):.2f}' if len(seeds) > 1 else '')


def _baseline_columns(results: Sequence[MeasuredResults]) -> List[Column]:
    """One column if all models were evaluated on the same images, otherwise one per test split, with their names."""
    splits: Dict[bytes, Tuple[np.ndarray, List[str]]] = {}
    for model in results:
        baseline = model.majority_baseline
        # Seeds share their test images, unless they are folds.
        if all(np.array_equal(seed, baseline[0], equal_nan=True) for seed in baseline):
            baseline = baseline[:1]
        splits.setdefault(baseline.tobytes(), (baseline, []))[1].append(model.name)
    return [
        _measured_column('majority' if len(splits) == 1 else f'majority\n{", ".join(names)}', baseline)
        for baseline, names in splits.values()
    ]


def _describe(model: MeasuredResults) -> str:
    """What a model was evaluated on, and the attributes on which it is below the majority-class baseline."""
    # The same share may differ in the last bit if it was computed differently.
    below = nan_mean(model.accuracy, 0) < nan_mean(model.majority_baseline, 0) - 1e-9
    names = [name for name, worse in zip(ATTRIBUTES, below) if worse]
    listed = f' ({", ".join(names)})' if names else ''
    split = '; '.join(dict.fromkeys(model.evaluated_on))
    return f'{model.name}: {split}; below the majority-class baseline on {len(names)} of 40{listed}'
