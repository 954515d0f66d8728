"""The table of a sweep: accuracy of each variant, and its difference to the baseline with an interval over persons."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..evaluation.attribute_scores import LASTING
from ..evaluation.paired_bootstrap import paired_interval
from ..evaluation.report import describe_part
from ..tables import aligned_lines, markdown_lines
from .results_file import unpack_counts

# A difference, and the lower and upper end of its interval.
Interval = Tuple[float, float, float]
HEADINGS = (
    'variant',
    'seeds',
    'val (%)',
    'test (%)',
    'deviation',
    'difference',
    'of lasting',
    'of passing',
    'agreement (%)',
    'minutes',
)


class SweepTable:
    """Accuracy of each variant, and its difference to the baseline.

    Args:
        groups: Rows by variant, of :func:`~imcnn_plugin.experiments.results_file.group_rows`.
        baseline: What the others are compared with; the first by default. There may be no row of it.

    ``differences`` has for each variant that was tested on the same images as the baseline what
    :func:`~imcnn_plugin.evaluation.paired_bootstrap.paired_interval` gives: over all attributes, those that stay with
    a person, and the others; None where there are no such attributes.
    """

    def __init__(self, groups: Dict[str, List[dict]], baseline: Optional[str] = None):
        self.groups = groups
        self.baseline = baseline or next(iter(groups), None)
        rows = groups.get(self.baseline, [])
        compared = [
            name
            for name, others in groups.items()
            if name != self.baseline and rows and all(tested_on(row) == tested_on(rows[0]) for row in rows + others)
        ]
        self.differences: Dict[str, List[Optional[Interval]]] = {name: [] for name in compared}
        for name, found in self.differences.items():
            lasting, every = rows[0]['lasting'], list(rows[0]['accuracy'])
            for names in (every, lasting, [name for name in every if name not in lasting]):
                found.append(difference(groups[name], rows, names) if names else None)

    def cells(self) -> List[Tuple[str, ...]]:
        """A row for each variant, headings first."""
        cells = [HEADINGS]
        for name, rows in self.groups.items():
            accuracy = np.array([row['mean_accuracy'] for row in rows])
            minutes = [row['seconds'] / 60 for row in rows if not row['resumed']]
            cells.append(
                (
                    name,
                    str(len(rows)),
                    mean_cell([row['val_accuracy'] for row in rows], '.2f'),
                    f'{accuracy.mean():.2f}',
                    f'{accuracy.std(ddof=1):.2f}' if len(rows) > 1 else '-',
                    *map(difference_cell, self.differences.get(name, [None] * 3)),
                    mean_cell([row['agreement'] for row in rows], '.2f'),
                    mean_cell(minutes, '.1f'),
                )
            )
        return cells

    def remarks(self) -> List[str]:
        """What the table does not say by itself, a sentence each."""
        if not self.groups:
            return ['No run has ended well yet.']
        remarks = []
        known = self.baseline in self.groups
        if not known:
            remarks.append(f"There is no row of the baseline '{self.baseline}', so nothing is compared.")
        first = self.groups.get(self.baseline, next(iter(self.groups.values())))[0]
        for name, rows in self.groups.items() if known else ():
            if others := [row['seed'] for row in rows if tested_on(row) != tested_on(first)]:
                remarks.append(
                    f'{name} is not compared with {self.baseline}: tested on other images (seed {join(others)})'
                )
        part = describe_part(first)
        persons = sum(identity >= 0 for identity in first['by_identity']['identity'])
        labels = mean_cell([first['label_agreement']], '.2f')
        remarks.append(
            f'{first["name"]} was tested on {part}: {first["num_images"]} images of {persons} persons, whose labels '
            f'agree to {labels} %.'
        )
        if known:
            passing = len(first['accuracy']) - len(first['lasting'])
            remarks += [
                f'Differences are to {self.baseline}, in points, with 95 % intervals over persons, not over seeds.',
                f'Labels of {len(first["lasting"])} attributes stay with a person (agreement beyond chance of at '
                f'least {LASTING:g}): {join(first["lasting"]) or "-"}. The other {passing} pass.',
            ]
        return remarks

    def attribute_cells(self) -> List[Tuple[str, ...]]:
        """A row for each attribute, headings first, those that stay with a person first: means over seeds.

        The accuracy is that of the baseline or, without a row of it, of the first variant.
        """
        baseline = self.baseline if self.baseline in self.groups else next(iter(self.groups))
        first = self.groups[baseline][0]
        names = sorted(first['accuracy'], key=lambda name: name not in first['lasting'])
        own, *gains = (
            [mean_or_nan([row['accuracy'][name] for row in self.groups[variant]]) for name in names]
            for variant in (baseline, *self.differences)
        )
        cells = [('attribute', 'stays', f'{baseline} (%)', *self.differences)]
        for i, name in enumerate(names):
            stays = 'yes' if name in first['lasting'] else ''
            cells.append((name, stays, f'{own[i]:.2f}', *(f'{values[i] - own[i]:+.2f}' for values in gains)))
        return cells

    def text(self) -> str:
        """Aligned columns for a console."""
        lines = aligned_lines(self.cells())
        lines.insert(1, '-' * len(lines[0]))
        return '\n'.join([*lines, *self.remarks()]) + '\n'

    def markdown(self) -> str:
        """The table, a list of remarks, and the table of single attributes; of at least one variant."""
        remarks = [f'- {line}' for line in self.remarks()]
        lines = [*markdown_lines(self.cells()), '', *remarks, '', *markdown_lines(self.attribute_cells())]
        return '\n'.join(lines) + '\n'


def mean_or_nan(values: Sequence[Optional[float]]) -> float:
    return np.nan if None in values else np.mean(values)


def difference(rows: Sequence[dict], baseline: Sequence[dict], attributes: Sequence[str]) -> Interval:
    """The difference in accuracy on some attributes, and the ends of its interval."""
    counts, others = (
        [unpack_counts(row['by_identity'], list(row['accuracy']), attributes) for row in some]
        for some in (rows, baseline)
    )
    correct, other = (np.array([values['correct'] for values in some]) for some in (counts, others))
    return paired_interval(correct, other, counts[0]['labelled'])


def difference_cell(found: Optional[Interval]) -> str:
    """A difference with its interval, where there is one."""
    if found is None:
        return '-'
    value, low, high = found
    return f'{value:+.2f}' if np.isnan(low) else f'{value:+.2f} ({low:+.2f} to {high:+.2f})'


def tested_on(row: dict) -> tuple:
    """What two rows must have in common to be compared."""
    persons = row['by_identity']
    return row['checksums'], persons['identity'], list(row['accuracy']), persons['labelled']


def mean_cell(values: Sequence[Optional[float]], form: str) -> str:
    values = [value for value in values if value is not None]
    return format(np.mean(values), form) if values else '-'


def join(values: Sequence) -> str:
    return ', '.join(map(str, values))
