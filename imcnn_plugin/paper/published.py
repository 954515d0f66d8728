"""The paper's Table 3 as printed (``published.csv``), and the errors in it.

The errors are not hard-coded: the functions find them in the numbers.
"""

import csv
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np

from ..attributes import ATTRIBUTES

PUBLISHED = Path(__file__).with_suffix('.csv')
DATASETS = dict(celeba='CelebA', lfwa='LFWA')
# The paper: 'IMCNN beats MCNN and ATTR Net on every single attribute'.
WINNER, BEATEN = 'IMCNN', ('MCNN', 'ATTR Net')
# In percentage points. 90 % of the printed values are within 5 points of the median of the other systems.
OUTLIER = 10.0


@dataclass(frozen=True)
class PublishedTable:
    """Accuracies in percent by dataset (of :data:`DATASETS`) and system, in printed order.

    Args:
        values: ``(40, )`` for each column, in the order of ``ATTRIBUTES``.
        averages: The printed averages, the last row.
        decimals: Number of printed decimals of each column.
    """

    values: Dict[Tuple[str, str], np.ndarray]
    averages: Dict[Tuple[str, str], float]
    decimals: Dict[Tuple[str, str], int]

    def systems(self, dataset: str) -> List[str]:
        """The systems with results on a dataset."""
        return [system for name, system in self.values if name == dataset]

    def rows(self, dataset: str) -> np.ndarray:
        """The values of a dataset, ``(40, systems)``."""
        return np.stack([self.values[dataset, system] for system in self.systems(dataset)], 1)

    def show(self, key: Tuple[str, str], value: float) -> str:
        """Formats a number with the decimals of its column."""
        return f'{value:.{self.decimals[key]}f}'


def read_published() -> PublishedTable:
    """Reads the table of the package, with columns ``attribute`` and ``dataset/system``."""
    with open(PUBLISHED, newline='') as file:
        rows = {row.pop('attribute'): row for row in csv.DictReader(file)}
    values, averages, decimals = {}, {}, {}
    for column in rows['Average']:
        key = tuple(column.split('/'))
        cells = [rows[name][column] for name in ATTRIBUTES]
        values[key] = np.array(cells, dtype=float)
        averages[key] = float(rows['Average'][column])
        decimals[key] = max(len(cell.partition('.')[2]) for cell in cells)
    return PublishedTable(values, averages, decimals)


def find_errors(table: PublishedTable, datasets: Sequence[str] = tuple(DATASETS)) -> List[str]:
    """Lists the errors in a published table, one per line."""
    finders = (_find_wrong_averages, _find_repeated_rows, _find_copied_values, _find_reversed_orders, _find_unbeaten)
    return [line for dataset in datasets for finder in finders for line in finder(table, dataset)]


def find_misprints(table: PublishedTable, key: Tuple[str, str]) -> np.ndarray:
    """Finds the misprints in a column, booleans ``(40, )``: values of repeated rows, and copied values."""
    dataset, system = key
    repeated = [i for pair in _repeated_rows(table, dataset) for i in pair]
    copied = [i for other, i, _ in _copied_values(table, dataset) if other == system]
    return np.isin(np.arange(len(ATTRIBUTES)), [*repeated, *copied])


def _find_wrong_averages(table: PublishedTable, dataset: str) -> List[str]:
    """Printed averages that differ from the mean of their column by more than the rounding error."""
    lines = []
    for system in table.systems(dataset):
        key = dataset, system
        mean, printed = table.values[key].mean(), table.averages[key]
        # Half a unit of the last digit for rounding the average, and half for rounding the values.
        if abs(mean - printed) > 10.0 ** -table.decimals[key] + 1e-9:
            lines.append(
                f'{DATASETS[dataset]}, {system}: the printed average is {table.show(key, printed)}, but the mean of '
                f'the printed values is {mean:.3f} ({mean - printed:+.3f})'
            )
    return lines


def _find_repeated_rows(table: PublishedTable, dataset: str) -> List[str]:
    rows, systems = table.rows(dataset), table.systems(dataset)
    return [
        f'{DATASETS[dataset]}: {ATTRIBUTES[i]} and {ATTRIBUTES[j]} have identical rows, '
        + ', '.join(table.show((dataset, system), value) for system, value in zip(systems, rows[i]))
        for i, j in _repeated_rows(table, dataset)
    ]


def _repeated_rows(table: PublishedTable, dataset: str) -> List[Tuple[int, int]]:
    """Pairs of attributes for which every system has the same values."""
    rows = table.rows(dataset)
    return [(i, j) for i, j in combinations(range(len(rows)), 2) if (rows[i] == rows[j]).all()]


def _find_copied_values(table: PublishedTable, dataset: str) -> List[str]:
    lines = []
    for system, i, twins in _copied_values(table, dataset):
        key = dataset, system
        others = [table.values[dataset, other][i] for other in table.systems(dataset) if other != system]
        lines.append(
            f'{DATASETS[dataset]}, {system}: {ATTRIBUTES[i]} has the value of '
            f'{" and ".join(ATTRIBUTES[j] for j in twins)}, {table.show(key, table.values[key][i])}, but the median '
            f'of the other systems is {np.median(others):.2f}'
        )
    return lines


def _copied_values(table: PublishedTable, dataset: str) -> List[Tuple[str, int, List[int]]]:
    """Outliers that repeat a system's value for other attributes: the system, the attribute, and the others.

    Outliers are more than ``OUTLIER`` points from the median of the other systems. Columns of integers are
    skipped, since their values often coincide.
    """
    found = []
    rows = table.rows(dataset)
    for column, system in enumerate(table.systems(dataset)):
        values = rows[:, column]
        medians = np.median(np.delete(rows, column, 1), 1)
        for i in np.flatnonzero(np.abs(values - medians) > OUTLIER) if table.decimals[dataset, system] else ():
            if twins := [j for j in np.flatnonzero(values == values[i]) if j != i]:
                found.append((system, i, twins))
    return found


def _find_reversed_orders(table: PublishedTable, dataset: str) -> List[str]:
    """Pairs of systems whose order by printed averages is reversed by the means of the printed values."""
    lines = []
    for first, second in combinations(table.systems(dataset), 2):
        keys = (dataset, first), (dataset, second)
        printed, means = [table.averages[key] for key in keys], [table.values[key].mean() for key in keys]
        if (printed[0] - printed[1]) * (means[0] - means[1]) < 0:
            sign, reverse = ('<', '>') if printed[0] < printed[1] else ('>', '<')
            shown = ', '.join(table.show(key, value) for key, value in zip(keys, printed))
            lines.append(
                f'{DATASETS[dataset]}: {first} {sign} {second} by the printed averages ({shown}), but '
                f'{first} {reverse} {second} by the means of the printed values ({means[0]:.3f}, {means[1]:.3f})'
            )
    return lines


def _find_unbeaten(table: PublishedTable, dataset: str) -> List[str]:
    """Attributes on which ``WINNER`` does not beat every system of ``BEATEN``, contrary to the paper's claim."""
    lines = []
    for i, name in enumerate(ATTRIBUTES):
        value = table.values[dataset, WINNER][i]
        rivals = [
            f'{system} {table.show((dataset, system), table.values[dataset, system][i])}'
            for system in BEATEN
            if table.values[dataset, system][i] >= value
        ]
        if rivals:
            lines.append(
                f'{DATASETS[dataset]}, {name}: {WINNER} {table.show((dataset, WINNER), value)} does not beat '
                f'{" and ".join(rivals)}, although it is said to beat both on every attribute'
            )
    return lines
