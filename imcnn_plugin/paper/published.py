"""The paper's Table 3 as printed (``published.csv``), and what does not add up in it.

Nothing of what is wrong is written here: the functions find it in the numbers.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple, Union

import numpy as np

from ..attributes import ATTRIBUTES

PUBLISHED = Path(__file__).with_suffix('.csv')
SETS = dict(celeba='CelebA', lfwa='LFWA')
# Of which the paper says: 'IMCNN beats MCNN and ATTR Net on every single attribute'.
WINNER, BEATEN = 'IMCNN', ('MCNN', 'ATTR Net')
# In percentage points. Nine in ten printed values are within 5 of the median of the other systems.
OUTLIER = 10.0


@dataclass(frozen=True)
class PublishedTable:
    """Accuracies in percent. The keys are pairs of a set (of :data:`SETS`) and a system, in printed order.

    Args:
        values: ``(40, )`` for each column, in the order of ``ATTRIBUTES``.
        averages: The last row as printed.
        decimals: How many decimals a column is printed with.
    """

    values: Dict[Tuple[str, str], np.ndarray]
    averages: Dict[Tuple[str, str], float]
    decimals: Dict[Tuple[str, str], int]

    def systems(self, subset: str) -> List[str]:
        return [system for name, system in self.values if name == subset]

    def rows(self, subset: str) -> np.ndarray:
        """The values of a set, ``(40, systems)``."""
        return np.stack([self.values[subset, system] for system in self.systems(subset)], 1)

    def show(self, key: Tuple[str, str], value: float) -> str:
        """A number of a column as it is printed there."""
        return f'{value:.{self.decimals[key]}f}'


def read_published(path: Union[str, Path] = PUBLISHED) -> PublishedTable:
    """The table in a CSV file: ``attribute``, then columns named ``set/system``; 40 attributes, then ``Average``."""
    with open(path, newline='') as file:
        rows = {row.pop('attribute'): row for row in csv.DictReader(file)}
    values, averages, decimals = {}, {}, {}
    for column in rows['Average']:
        key = tuple(column.split('/'))
        cells = [rows[name][column] for name in ATTRIBUTES]
        values[key] = np.array(cells, dtype=float)
        averages[key] = float(rows['Average'][column])
        decimals[key] = max(len(cell.partition('.')[2]) for cell in cells)
    return PublishedTable(values, averages, decimals)


def find_errors(table: PublishedTable, sets: Sequence[str] = tuple(SETS)) -> List[str]:
    """What is wrong with a published table, a line each."""
    finders = (find_wrong_averages, find_repeated_rows, find_copied_values, find_reversed_orders, find_unbeaten)
    return [line for subset in sets for finder in finders for line in finder(table, subset)]


def find_wrong_averages(table: PublishedTable, subset: str) -> List[str]:
    """Printed averages that are further from the mean of their column than rounding allows."""
    lines = []
    for system in table.systems(subset):
        key = subset, system
        mean, printed = table.values[key].mean(), table.averages[key]
        # Half a unit of the last digit for the rounding of the average, as much for that of the values.
        if abs(mean - printed) > 10.0 ** -table.decimals[key] + 1e-9:
            lines.append(
                f'{SETS[subset]}, {system}: the average is printed as {table.show(key, printed)}, but the mean of the '
                f'printed values is {mean:.3f} ({mean - printed:+.3f})'
            )
    return lines


def find_repeated_rows(table: PublishedTable, subset: str) -> List[str]:
    """Pairs of attributes for which every system has the same values."""
    rows, systems = table.rows(subset), table.systems(subset)
    return [
        f'{SETS[subset]}: {ATTRIBUTES[i]} and {ATTRIBUTES[j]} have one and the same row, '
        + ', '.join(table.show((subset, system), value) for system, value in zip(systems, rows[i]))
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if (rows[i] == rows[j]).all()
    ]


def find_copied_values(table: PublishedTable, subset: str) -> List[str]:
    """Values that a system has for another attribute too and that are out of line with the other systems.

    Out of line is more than ``OUTLIER`` points from the median of the others. Columns of whole numbers are left out:
    their values coincide all the time.
    """
    lines = []
    rows = table.rows(subset)
    for column, system in enumerate(table.systems(subset)):
        key, values = (subset, system), rows[:, column]
        medians = np.median(np.delete(rows, column, 1), 1)
        for i in np.flatnonzero(np.abs(values - medians) > OUTLIER) if table.decimals[key] else ():
            if twins := [ATTRIBUTES[j] for j in np.flatnonzero(values == values[i]) if j != i]:
                lines.append(
                    f'{SETS[subset]}, {system}: {ATTRIBUTES[i]} has the value of {" and ".join(twins)}, '
                    f'{table.show(key, values[i])}, where the median of the other systems is {medians[i]:.2f}'
                )
    return lines


def find_reversed_orders(table: PublishedTable, subset: str) -> List[str]:
    """Pairs of systems that the printed averages put in one order and the means of the printed values in the other."""
    lines = []
    systems = table.systems(subset)
    for i, first in enumerate(systems):
        for second in systems[i + 1 :]:
            keys = (subset, first), (subset, second)
            printed = [table.averages[key] for key in keys]
            means = [table.values[key].mean() for key in keys]
            if (printed[0] - printed[1]) * (means[0] - means[1]) < 0:
                sign = '<' if printed[0] < printed[1] else '>'
                turned = '>' if sign == '<' else '<'
                shown = [table.show(key, value) for key, value in zip(keys, printed)]
                lines.append(
                    f'{SETS[subset]}: {first} {sign} {second} by the printed averages ({shown[0]}, {shown[1]}), but '
                    f'{first} {turned} {second} by the means of the printed values ({means[0]:.3f}, {means[1]:.3f})'
                )
    return lines


def find_unbeaten(table: PublishedTable, subset: str) -> List[str]:
    """Attributes on which ``WINNER`` is not better than every system of ``BEATEN``, as the paper says that it is."""
    lines = []
    for i, name in enumerate(ATTRIBUTES):
        value = table.values[subset, WINNER][i]
        rivals = [
            f'{system} {table.show((subset, system), table.values[subset, system][i])}'
            for system in BEATEN
            if table.values[subset, system][i] >= value
        ]
        if rivals:
            lines.append(
                f'{SETS[subset]}, {name}: {WINNER} {table.show((subset, WINNER), value)} does not beat '
                f'{" and ".join(rivals)}, though it is said to beat both on every attribute'
            )
    return lines
