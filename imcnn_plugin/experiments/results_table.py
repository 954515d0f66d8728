"""The table of a sweep: each variant's accuracy and its difference from the baseline, with a confidence interval."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..evaluation import STABLE_AGREEMENT, describe_split, paired_intervals
from ..tables import aligned_lines, cell, markdown_lines
from .results_file import _unpack_counts

# A difference and the lower and upper bounds of its interval.
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
    """Accuracy of each variant and its difference from the baseline.

    Args:
        groups: Rows by variant, from :func:`~imcnn_plugin.experiments.group_rows`.
        baseline: Name of the variant to compare with; the first by default. It may have no rows.

    ``differences`` maps each variant that was evaluated on the same images as the baseline to three results of
    :func:`~imcnn_plugin.evaluation.paired_interval`: over all, identity-stable and transient attributes. A result is
    None if there are no such attributes. ``has_folds`` says whether a variant was tested on several folds, each in its
    own run.
    """

    def __init__(self, groups: Dict[str, List[dict]], baseline: Optional[str] = None):
        self.groups = groups
        self.baseline = baseline or next(iter(groups), None)
        self.has_folds = any(len(_by_fold(rows)) > 1 for rows in groups.values())
        rows = groups.get(self.baseline, [])
        self.differences: Dict[str, List[Optional[Interval]]] = {}
        self._is_comparable = bool(rows) and _comparable(rows, rows)
        if self._is_comparable:
            compared = {
                name: others for name, others in groups.items() if name != self.baseline and _comparable(others, rows)
            }
            self.differences = _differences(compared, rows)

    def cells(self) -> List[Tuple[str, ...]]:
        """A row per variant, headings first."""
        cells = [tuple('runs' if self.has_folds and key == 'seeds' else key for key in HEADINGS)]
        for name, rows in self.groups.items():
            accuracy = np.array([row['mean_accuracy'] for row in rows])
            mean = np.mean([np.mean([row['mean_accuracy'] for row in fold]) for fold in _by_fold(rows).values()])
            cells.append(
                (
                    name,
                    str(len(rows)),
                    _mean_cell([row['val_accuracy'] for row in rows], '.2f'),
                    f'{mean:.2f}',
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
        baseline = _by_fold(self.groups.get(self.baseline, next(iter(self.groups.values()))))
        firsts = [rows[0] for rows in baseline.values()]
        first = firsts[0]
        for name, rows in self.groups.items() if compared else ():
            folds = _by_fold(rows)
            if folds.keys() != baseline.keys():
                remarks.append(
                    f'{name} is not compared with {self.baseline}: evaluated on folds {_join(folds)}, the baseline on '
                    f'{_join(baseline)}'
                )
            elif others := [row['seed'] for row in rows if not _same_images(row, baseline[row.get('fold')][0])]:
                remarks.append(
                    f'{name} is not compared with {self.baseline}: evaluated on other images (seed {_join(others)})'
                )
        if compared and not self._is_comparable:
            remarks.append(f'Nothing is compared, since runs of {self.baseline} were evaluated on different images.')
            compared = False
        identities = sum((_unpacked(row)['identity'] >= 0).sum() for row in firsts)
        split = describe_split(first if None in baseline else {**first, 'fold': _join(baseline)})
        remarks.append(
            f'{first["name"]} was evaluated on {split}: {sum(row["num_images"] for row in firsts)} images of '
            f'{identities} identities. The within-identity agreement of their labels is '
            f'{_mean_cell([row["label_agreement"] for row in firsts], ".2f")} %.'
        )
        if compared:
            stable = first['identity_stable']
            where = '' if len(baseline) == 1 else f' in fold {first["fold"]}'
            others = len(first['accuracy']) - len(stable)
            remarks += [
                f'Differences are relative to {self.baseline}, in percentage points, with 95 % intervals over '
                'identities, without seed variance.',
                f'{len(stable)} attributes are identity-stable (agreement of labels beyond chance of at least '
                f'{STABLE_AGREEMENT:g}{where}): {_join(stable) or "-"}. The other {others} are transient.',
            ]
        return remarks

    def attribute_cells(self) -> List[Tuple[str, ...]]:
        """A row per attribute with means over runs: headings first, then identity-stable, then transient attributes.

        The accuracy is that of the baseline, or of the first variant if the baseline has no row.
        """
        baseline = self.baseline if self.baseline in self.groups else next(iter(self.groups))
        first = _first_row(self.groups[baseline])
        names = sorted(first['accuracy'], key=lambda name: name not in first['identity_stable'])
        own, *others = (
            np.mean([_accuracies(fold, names).mean(0) for fold in _by_fold(self.groups[variant]).values()], axis=0)
            for variant in (baseline, *self.differences)
        )
        runs = _accuracies(self.groups[baseline], names)
        std = runs.std(0, ddof=1) if len(runs) > 1 else np.full(len(names), np.nan)
        headings = [f'{baseline} (%)', *(['std'] if self.has_folds else [])]
        cells = [('attribute', 'identity-stable', *headings, *self.differences)]
        for i, name in enumerate(names):
            stable = 'yes' if name in first['identity_stable'] else ''
            spread = [cell(std[i], '.2f')] if self.has_folds else []
            differences = (cell(values[i] - own[i], '+.2f') for values in others)
            cells.append((name, stable, cell(own[i], '.2f'), *spread, *differences))
        return cells

    def text(self) -> str:
        """The table as aligned text, with the remarks and, for a cross-validation, the table of attributes."""
        lines = [*aligned_lines(self.cells(), rules=(1,)), *self.remarks()]
        if self.has_folds:
            lines += ['', *aligned_lines(self.attribute_cells(), rules=(1,))]
        return '\n'.join(lines) + '\n'

    def markdown(self) -> str:
        """The table, the remarks and the table of attributes as Markdown. At least one row is required."""
        remarks = [f'- {line}' for line in self.remarks()]
        lines = [*markdown_lines(self.cells()), '', *remarks, '', *markdown_lines(self.attribute_cells())]
        return '\n'.join(lines) + '\n'


def _unpacked(row: dict) -> Dict[str, np.ndarray]:
    return _unpack_counts(row['by_identity'], len(row['accuracy']))


def _accuracies(rows: Sequence[dict], names: Sequence[str]) -> np.ndarray:
    return np.array([[row['accuracy'][name] for name in names] for row in rows], float)


def _same_images(row: dict, other: dict) -> bool:
    """Whether two rows were evaluated on the same images and labels, and so can be compared."""
    if row['checksums'] != other['checksums'] or list(row['accuracy']) != list(other['accuracy']):
        return False
    keys = ('identity', 'labelled')
    if all(row['by_identity'][key] == other['by_identity'][key] for key in keys):
        return True
    # One may be packed as in earlier versions.
    counts, others = _unpacked(row), _unpacked(other)
    return all(np.array_equal(counts[key], others[key]) for key in keys)


def _by_fold(rows: Sequence[dict]) -> Dict[Optional[int], List[dict]]:
    """Groups rows by the fold that they were evaluated on, in ascending order; rows without a fold are under None."""
    folds = sorted({row.get('fold') for row in rows}, key=lambda fold: -1 if fold is None else fold)
    return {fold: [row for row in rows if row.get('fold') == fold] for fold in folds}


def _first_row(rows: Sequence[dict]) -> dict:
    """A row of the lowest fold, whose labels decide which attributes are identity-stable."""
    return next(iter(_by_fold(rows).values()))[0]


def _comparable(rows: Sequence[dict], baseline: Sequence[dict]) -> bool:
    """Whether rows were evaluated on the same folds as the baseline, and on the same images in each fold."""
    folds, others = _by_fold(rows), _by_fold(baseline)
    return folds.keys() == others.keys() and all(
        _same_images(row, others[fold][0]) for fold, some in folds.items() for row in some
    )


def _differences(groups: Dict[str, List[dict]], baseline: Sequence[dict]) -> Dict[str, List[Optional[Interval]]]:
    """The differences in accuracy over all, identity-stable and transient attributes, for the identities of all folds.

    All variants share one set of draws, since drawing identities takes most of the time.
    """
    if not groups:
        return {}
    first = _first_row(baseline)
    names, stable = list(first['accuracy']), first['identity_stable']
    subsets = [np.flatnonzero([name in some for name in names]) for some in (names, stable, {*names} - {*stable})]
    own, labelled = _counts(baseline)
    gains = np.stack([_counts(rows)[0] - own for rows in groups.values()])
    found = paired_intervals(gains, labelled, [chosen for chosen in subsets if len(chosen)])
    return {
        name: [next(values) if len(chosen) else None for chosen in subsets]
        for name, values in zip(groups, map(iter, found))
    }


def _counts(rows: Sequence[dict]) -> Tuple[np.ndarray, np.ndarray]:
    """Counts of correct labels, averaged over seeds, and of known labels, both ``(I, L)``, over all folds."""
    folds = [[_unpacked(row) for row in runs] for runs in _by_fold(rows).values()]
    correct = [np.mean([values['correct'] for values in runs], axis=0) for runs in folds]
    return np.concatenate(correct), np.concatenate([runs[0]['labelled'] for runs in folds])


def _difference_cell(found: Optional[Interval]) -> str:
    if found is None or np.isnan(found[0]):
        return '-'
    # Rounding errors depend on the order of summation and would decide between -0.00 and +0.00.
    value, low, high = (round(number, 6) + 0 for number in found)
    return f'{value:+.2f}' if np.isnan(low) else f'{value:+.2f} ({low:+.2f} to {high:+.2f})'


def _mean_cell(values: Sequence[Optional[float]], form: str) -> str:
    values = [value for value in values if value is not None]
    return format(np.mean(values), form) if values else '-'


def _join(values: Sequence) -> str:
    return ', '.join(map(str, values))
