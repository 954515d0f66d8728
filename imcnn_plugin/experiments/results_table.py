"""The table of a sweep: each variant's accuracy, and its difference to the baseline with a confidence interval."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..evaluation import STABLE_AGREEMENT, describe_split, paired_interval
from ..tables import aligned_lines, markdown_lines
from .results_file import _unpack_counts

# A difference, and the lower and upper end of its interval.
Interval = Tuple[float, float, float]
HEADINGS = (
    'variant',
    'seeds',
    'val (%)',
    'test (%)',
    'std',
    'difference',
    'identity-stable',
    'transient',
    'agreement (%)',
    'minutes',
)


class SweepTable:
    """Accuracy of each variant, and its difference to the baseline.

    Args:
        groups: Rows by variant, from :func:`~imcnn_plugin.experiments.group_rows`.
        baseline: Name of the variant to compare with; the first by default. It may have no rows.

    ``differences`` has, for each variant that was evaluated on the same images as the baseline, the results of
    :func:`~imcnn_plugin.evaluation.paired_interval` over all, identity-stable and transient attributes; None without
    such attributes.
    """

    def __init__(self, groups: Dict[str, List[dict]], baseline: Optional[str] = None):
        self.groups = groups
        self.baseline = baseline or next(iter(groups), None)
        rows = groups.get(self.baseline, [])
        self.differences: Dict[str, List[Optional[Interval]]] = {}
        for name, others in groups.items():
            if name != self.baseline and rows and all(_same_images(row, rows[0]) for row in rows + others):
                names, stable = list(rows[0]['accuracy']), rows[0]['identity_stable']
                transient = [attribute for attribute in names if attribute not in stable]
                self.differences[name] = [
                    _difference(others, rows, chosen) if chosen else None for chosen in (names, stable, transient)
                ]

    def cells(self) -> List[Tuple[str, ...]]:
        """A row per variant, headings first."""
        cells = [HEADINGS]
        for name, rows in self.groups.items():
            accuracy = np.array([row['mean_accuracy'] for row in rows])
            cells.append(
                (
                    name,
                    str(len(rows)),
                    _mean_cell([row['val_accuracy'] for row in rows], '.2f'),
                    f'{accuracy.mean():.2f}',
                    f'{accuracy.std(ddof=1):.2f}' if len(rows) > 1 else '-',
                    *map(_difference_cell, self.differences.get(name, [None] * 3)),
                    _mean_cell([row['agreement'] for row in rows], '.2f'),
                    _mean_cell([row['seconds'] / 60 for row in rows if not row['resumed']], '.1f'),
                )
            )
        return cells

    def remarks(self) -> List[str]:
        """Remarks on the table, one sentence each."""
        if not self.groups:
            return ['No run has completed yet.']
        remarks = []
        compared = self.baseline in self.groups
        if not compared:
            remarks.append(f"There is no row of the baseline '{self.baseline}', so nothing is compared.")
        first = self.groups.get(self.baseline, next(iter(self.groups.values())))[0]
        for name, rows in self.groups.items() if compared else ():
            if others := [row['seed'] for row in rows if not _same_images(row, first)]:
                remarks.append(
                    f'{name} is not compared with {self.baseline}: evaluated on other images (seed {_join(others)})'
                )
        identities = sum(identity >= 0 for identity in first['by_identity']['identity'])
        remarks.append(
            f'{first["name"]} was evaluated on {describe_split(first)}: {first["num_images"]} images of {identities} '
            f'identities. The within-identity agreement of their labels is '
            f'{_mean_cell([first["label_agreement"]], ".2f")} %.'
        )
        if compared:
            stable = first['identity_stable']
            remarks += [
                f'Differences are to {self.baseline}, in percentage points, with 95 % intervals over identities, '
                'without seed variance.',
                f'{len(stable)} attributes are identity-stable (agreement of labels beyond chance of at least '
                f'{STABLE_AGREEMENT:g}): {_join(stable) or "-"}. The other {len(first["accuracy"]) - len(stable)} are '
                'transient.',
            ]
        return remarks

    def attribute_cells(self) -> List[Tuple[str, ...]]:
        """A row per attribute, headings first, identity-stable attributes before transient ones: means over seeds.

        The accuracy is that of the baseline or, without a row of it, of the first variant.
        """
        baseline = self.baseline if self.baseline in self.groups else next(iter(self.groups))
        first = self.groups[baseline][0]
        names = sorted(first['accuracy'], key=lambda name: name not in first['identity_stable'])
        own, *others = (
            np.array([[row['accuracy'][name] for name in names] for row in self.groups[variant]], float).mean(0)
            for variant in (baseline, *self.differences)
        )
        cells = [('attribute', 'identity-stable', f'{baseline} (%)', *self.differences)]
        for i, name in enumerate(names):
            stable = 'yes' if name in first['identity_stable'] else ''
            differences = (_cell(values[i] - own[i], '+.2f') for values in others)
            cells.append((name, stable, _cell(own[i], '.2f'), *differences))
        return cells

    def text(self) -> str:
        """The table as aligned text, with the remarks."""
        return '\n'.join([*aligned_lines(self.cells(), rules=(1,)), *self.remarks()]) + '\n'

    def markdown(self) -> str:
        """The table, the remarks and the table of attributes as Markdown. There must be a row."""
        remarks = [f'- {line}' for line in self.remarks()]
        lines = [*markdown_lines(self.cells()), '', *remarks, '', *markdown_lines(self.attribute_cells())]
        return '\n'.join(lines) + '\n'


def _same_images(row: dict, other: dict) -> bool:
    """Whether two rows were evaluated on the same images and labels, and so can be compared."""
    keys = ('identity', 'labelled')
    return (
        row['checksums'] == other['checksums']
        and list(row['accuracy']) == list(other['accuracy'])
        and all(row['by_identity'][key] == other['by_identity'][key] for key in keys)
    )


def _difference(rows: Sequence[dict], baseline: Sequence[dict], attributes: Sequence[str]) -> Interval:
    """The difference in accuracy on some attributes, with its interval."""
    counts, others = (
        [_unpack_counts(row['by_identity'], list(row['accuracy']), attributes) for row in some]
        for some in (rows, baseline)
    )
    correct, other = (np.array([values['correct'] for values in some]) for some in (counts, others))
    return paired_interval(correct, other, counts[0]['labelled'])


def _difference_cell(found: Optional[Interval]) -> str:
    if found is None or np.isnan(found[0]):
        return '-'
    # The last bits depend on the order of sums, and would decide between -0.00 and +0.00.
    value, low, high = (round(number, 6) + 0 for number in found)
    return f'{value:+.2f}' if np.isnan(low) else f'{value:+.2f} ({low:+.2f} to {high:+.2f})'


def _cell(value: float, form: str) -> str:
    """A number; a dash for NaN, as of an attribute without known labels."""
    return '-' if np.isnan(value) else format(value, form)


def _mean_cell(values: Sequence[Optional[float]], form: str) -> str:
    values = [value for value in values if value is not None]
    return format(np.mean(values), form) if values else '-'


def _join(values: Sequence) -> str:
    return ', '.join(map(str, values))
