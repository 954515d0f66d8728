"""The table of a sweep: accuracy of each variant, and its difference to the baseline with an interval over persons."""

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from .attribute_scores import LASTING
from .paired_bootstrap import paired_interval
from .person_counts import unpack_counts
from .report import describe_part
from .tables import aligned_lines, markdown_lines

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


def make_table(groups: Dict[str, List[dict]], baseline: Optional[str] = None) -> Tuple[List[Tuple], List[str]]:
    """The cells of the table of a sweep, and remarks on it.

    Args:
        groups: Of :func:`group_rows`.
        baseline: What the others are compared with; the first by default.

    Returns:
        Rows of cells, headings first, and lines.
    """
    if not groups:
        return [HEADINGS], ['No run has ended well yet.']
    baseline = baseline or next(iter(groups))
    found, remarks = find_differences(groups, baseline), []
    if baseline not in groups:
        remarks.append(f"There is no row of the baseline '{baseline}', so nothing is compared.")
    first = groups.get(baseline, next(iter(groups.values())))[0]
    cells = [HEADINGS]
    for name, rows in groups.items():
        accuracy = np.array([row['mean_accuracy'] for row in rows])
        minutes = [row['seconds'] / 60 for row in rows if not row['resumed']]
        others = [row['seed'] for row in rows if tested_on(row) != tested_on(first)]
        if baseline in groups and others:
            remarks.append(f'{name} is not compared with {baseline}: tested on other images (seed {join(others)})')
        cells.append(
            (
                name,
                str(len(rows)),
                mean_cell([row['val_accuracy'] for row in rows], '.2f'),
                f'{accuracy.mean():.2f}',
                f'{accuracy.std(ddof=1):.2f}' if len(rows) > 1 else '-',
                *map(difference_cell, found.get(name, [None] * 3)),
                mean_cell([row['agreement'] for row in rows], '.2f'),
                mean_cell(minutes, '.1f'),
            )
        )
    part = describe_part(first)
    persons = sum(identity >= 0 for identity in first['by_identity']['identity'])
    labels = mean_cell([first['label_agreement']], '.2f')
    remarks.append(
        f'{first["name"]} was tested on {part}: {first["num_images"]} images of {persons} persons, whose labels agree '
        f'to {labels} %.'
    )
    if baseline in groups:
        passing = len(first['accuracy']) - len(first['lasting'])
        remarks.append(f'Differences are to {baseline}, in points, with 95 % intervals over persons, not over seeds.')
        remarks.append(
            f'Labels of {len(first["lasting"])} attributes stay with a person (agreement beyond chance of at least '
            f'{LASTING:g}): {join(first["lasting"]) or "-"}. The other {passing} pass.'
        )
    return cells, remarks


def find_differences(
    groups: Dict[str, List[dict]], baseline: str
) -> Dict[str, List[Optional[Tuple[float, float, float]]]]:
    """What the variants gain that were tested on the same images as the baseline.

    Args:
        groups: Of :func:`group_rows`.
        baseline: The name of a variant, or one of which there are no rows.

    Returns:
        For each of these variants the difference, lower and upper end of :func:`paired_interval`: over all
        attributes, those that stay with a person, and the others; None where there are no such attributes.
    """
    compared = comparable(groups, baseline)
    if not compared:
        return {}
    rows = groups[baseline]
    lasting, every = rows[0]['lasting'], list(rows[0]['accuracy'])
    kinds = (every, lasting, [name for name in every if name not in lasting])
    return {
        variant: [difference(groups[variant], rows, names) if names else None for names in kinds]
        for variant in compared
    }


def comparable(groups: Dict[str, List[dict]], baseline: str) -> List[str]:
    """The variants whose rows were all tested on the same images as all of the baseline's."""
    rows = groups.get(baseline, [])
    return [
        name
        for name, others in groups.items()
        if name != baseline and rows and all(tested_on(row) == tested_on(rows[0]) for row in rows + others)
    ]


def attribute_table(groups: Dict[str, List[dict]], baseline: Optional[str] = None) -> List[Tuple]:
    """The cells of a table of single attributes, those that stay with a person first: means over seeds.

    Args:
        groups: Of :func:`group_rows`, at least one.
        baseline: Its accuracy stands in the table, and what the others gain that were tested on the same images.

    Returns:
        Rows of cells, headings first.
    """
    baseline = baseline if baseline in groups else next(iter(groups))
    first = groups[baseline][0]
    names = sorted(first['accuracy'], key=lambda name: name not in first['lasting'])
    compared = comparable(groups, baseline)
    own, *gains = (
        [mean_or_nan([row['accuracy'][name] for row in groups[variant]]) for name in names]
        for variant in (baseline, *compared)
    )
    cells = [('attribute', 'stays', f'{baseline} (%)', *compared)]
    for i, name in enumerate(names):
        stays = 'yes' if name in first['lasting'] else ''
        cells.append((name, stays, f'{own[i]:.2f}', *(f'{values[i] - own[i]:+.2f}' for values in gains)))
    return cells


def mean_or_nan(values: Sequence[Optional[float]]) -> float:
    return np.nan if None in values else np.mean(values)


def difference(
    rows: Sequence[dict], baseline: Sequence[dict], attributes: Sequence[str]
) -> Tuple[float, float, float]:
    """The difference in accuracy on some attributes, and the ends of its interval."""
    counts, others = (
        [unpack_counts(row['by_identity'], list(row['accuracy']), attributes) for row in some]
        for some in (rows, baseline)
    )
    correct, other = (np.array([values['correct'] for values in some]) for some in (counts, others))
    return paired_interval(correct, other, counts[0]['labelled'])


def difference_cell(found: Optional[Tuple[float, float, float]]) -> str:
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


def format_text(cells: Sequence[Sequence[str]], remarks: Sequence[str]) -> str:
    """Aligned columns for a console."""
    lines = aligned_lines(cells)
    lines.insert(1, '-' * len(lines[0]))
    return '\n'.join([*lines, *remarks]) + '\n'


def format_markdown(
    cells: Sequence[Sequence[str]], remarks: Sequence[str], attributes: Sequence[Sequence[str]]
) -> str:
    """A table, a list, and the table of single attributes."""
    lines = [*markdown_lines(cells), '', *(f'- {line}' for line in remarks), '', *markdown_lines(attributes)]
    return '\n'.join(lines) + '\n'
