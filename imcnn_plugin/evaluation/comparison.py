"""The paper's Table 3 beside measured accuracies, for a console, as Markdown and as LaTeX."""

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from .published import SETS, PublishedTable, find_errors

# Characters: seven measured columns with deviations beside five printed ones stay within 200.
MAX_WIDTH, MAX_HEADING = 200, 13
NOTES = "What is wrong in the paper's table as it is printed"
KEYS = ('accuracy', 'majority_baseline')


@dataclass(frozen=True)
class Run:
    """What files of one name measured, in percent, NaN where undefined.

    Args:
        accuracy: ``(seeds, 40)``, in the order of ``ATTRIBUTES``.
        majority_baseline: ``(seeds, 40)``, the accuracy of the label that is more frequent in the test images.
        parts: What each seed was tested on, in words.
    """

    name: str
    accuracy: np.ndarray
    majority_baseline: np.ndarray
    parts: Tuple[str, ...]


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


def read_runs(arguments: Sequence[str]) -> List[Run]:
    """Runs from ``NAME=FILE`` or ``FILE``, which goes by its folder's name. Files of one name are seeds of one run.

    Raises:
        DataError: A file cannot be used, or is given twice.
    """
    seeds, seen = {}, set()
    for argument in arguments:
        name, given, path = argument.partition('=')
        # The path of a file may have an equals sign, too.
        if not given or Path(argument).is_file():
            name, path = Path(argument).resolve().parent.name, argument
        if not name or not path:
            raise DataError(f'{argument}: expected NAME=FILE')
        if Path(path).resolve() in seen:
            raise DataError(f'{path} is given twice, and a seed counts once')
        seen.add(Path(path).resolve())
        seeds.setdefault(name, []).append(read_report(path))
    runs = []
    for name, files in seeds.items():
        accuracy, baseline, parts = zip(*files)
        runs.append(Run(name, np.stack(accuracy), np.stack(baseline), parts))
    return runs


def read_report(path: str) -> Tuple[np.ndarray, np.ndarray, str]:
    """Accuracies ``(40, )``, majority baselines ``(40, )`` and the test part in words, from ``per_attribute.json``.

    Raises:
        DataError: Says in one line what the file lacks.
    """
    try:
        report = json.loads(Path(path).read_text(encoding='utf-8'))
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror}): give the per_attribute.json of a test') from error
    except ValueError as error:
        raise DataError(f'{path} is not JSON ({error})') from error
    attributes = report.get('attributes') if isinstance(report, dict) else None
    if not isinstance(attributes, dict):
        raise DataError(f"{path} has no 'attributes': give the per_attribute.json of a test")
    missing = [name for name in ATTRIBUTES if name not in attributes]
    strange = [name for name in attributes if name not in ATTRIBUTES]
    if missing or strange:
        raise DataError(
            f"{path}: 'attributes' are not CelebA's 40; {len(missing)} are missing {missing[:3]}, "
            f'{len(strange)} are others {strange[:3]}'
        )
    values = np.array([[percentage(path, attributes, name, key) for name in ATTRIBUTES] for key in KEYS])
    words = [f'{key} {report[key]}' for key in ('protocol', 'split', 'fold') if key in report]
    words += [f'{report[f"num_{key}"]} {key}' for key in ('images', 'identities') if f'num_{key}' in report]
    return *values, ', '.join(words)


def percentage(path: str, attributes: dict, name: str, key: str) -> float:
    """A number of a report; NaN for None.

    Raises:
        DataError: It is missing or no percentage.
    """
    values = attributes[name]
    if not isinstance(values, dict) or key not in values:
        raise DataError(f'{path}: {name} has no {key}')
    value = values[key]
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise DataError(f'{path}: {key} of {name} is {value!r}, expected a percentage or null')
    return float(value)


def compare(table: PublishedTable, runs: Sequence[Run] = (), subset: Optional[str] = None) -> Comparison:
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


def majority_columns(runs: Sequence[Run]) -> List[Column]:
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


def describe(run: Run) -> str:
    """What a run was tested on, and where it is no better than always giving the label that is more frequent."""
    # The same count of images over two ways of dividing may differ in the last bit.
    below = mean_of_defined(run.accuracy, 0) < mean_of_defined(run.majority_baseline, 0) - 1e-9
    names = [name for name, worse in zip(ATTRIBUTES, below) if worse]
    words = [part for part in dict.fromkeys(run.parts) if part]
    words.append(f'below the majority label on {len(names)} of 40' + (f' ({", ".join(names)})' if names else ''))
    return f'{run.name}: {"; ".join(words)}'


def format_text(comparison: Comparison) -> str:
    """A table with aligned columns for a console; long headings are broken."""
    columns = comparison.columns
    head = [
        [part for line in column.heading.split('\n') for part in textwrap.wrap(line, MAX_HEADING)]
        for column in columns
    ]
    height = max(map(len, head))
    aligned = []
    for column, lines in zip(columns, head):
        # Headings stand on the rule.
        cells = [''] * (height - len(lines)) + lines + column_cells(column)
        width = max(map(len, cells))
        aligned.append([f'{cell:>{width}}' if aligned else f'{cell:<{width}}' for cell in cells])
    lines = ['  '.join(cells) for cells in zip(*aligned)]
    rule = '-' * len(lines[0])
    lines.insert(len(lines) - 2, rule)
    lines.insert(height, rule)
    for title, remarks in comparison.remarks.items():
        lines += ['', f'{title}:']
        lines += [
            textwrap.fill(line, MAX_WIDTH, initial_indent='- ', subsequent_indent='  ', break_on_hyphens=False)
            for line in remarks
        ]
    return '\n'.join(line.rstrip() for line in lines) + '\n'


def column_cells(column: Column) -> List[str]:
    """The 42 cells under a heading."""
    return [*column.cells, column.average, column.mean]


def format_markdown(comparison: Comparison) -> str:
    """A table with a pipe at both ends of a row, and lists."""

    def row(cells):
        return '| ' + ' | '.join(cell.replace('\n', ' ').replace('|', '\\|') for cell in cells) + ' |'

    lines = [row(column.heading for column in comparison.columns)]
    lines.append('|---|' + '---:|' * (len(comparison.columns) - 1))
    lines += [row(cells) for cells in zip(*map(column_cells, comparison.columns))]
    for title, remarks in comparison.remarks.items():
        lines += ['', f'{title}:', '', *(f'- {line}' for line in remarks)]
    return '\n'.join(lines) + '\n'


def format_latex(comparison: Comparison) -> str:
    """A ``tabular`` of the package booktabs, and lists."""

    def row(cells):
        return ' & '.join(cells) + r' \\'

    def heading(text):
        return r'\shortstack[r]{' + r' \\ '.join(map(escape_latex, text.split('\n'))) + '}'

    body = [row(map(escape_latex, cells)) for cells in zip(*map(column_cells, comparison.columns))]
    lines = [
        r'% Needs \usepackage{booktabs}.',
        rf'\begin{{tabular}}{{l{"r" * (len(comparison.columns) - 1)}}}',
        r'\toprule',
        row(heading(column.heading) for column in comparison.columns),
        r'\midrule',
        *body[:-2],
        r'\midrule',
        *body[-2:],
        r'\bottomrule',
        r'\end{tabular}',
    ]
    for title, remarks in comparison.remarks.items():
        lines += ['', rf'\noindent {escape_latex(title)}:', r'\begin{itemize}']
        lines += [*(rf'\item {escape_latex(line)}' for line in remarks), r'\end{itemize}']
    return '\n'.join(lines) + '\n'


LATEX = {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': '$<$',
    '>': '$>$',
    '±': r'$\pm$',
    # After a line break or an item it would open an option.
    '[': '{[}',
    **{character: f'\\{character}' for character in '_%&#${}'},
}


def escape_latex(text: str) -> str:
    """Text that LaTeX sets as it is."""
    return ''.join(LATEX.get(character, character) for character in text)


FORMATS = dict(text=format_text, markdown=format_markdown, latex=format_latex)
