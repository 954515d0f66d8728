"""The report of a run as one self-contained HTML file."""

import re
from functools import partial
from pathlib import Path
from typing import Iterator, List, Optional, Tuple, Union

import numpy as np
from markupsafe import Markup, escape

from ..errors import DataError, IMCNNError
from ..evaluation import AttributeReport
from ..files import writable, write_text
from ..label_conflicts import count_label_conflicts
from ..templates import render_template
from ..visualization import plot_training_curves, svg_uri
from .attribute_tables import _attribute_table, _run_facts
from .prediction_tables import _calibration, _subgroup_table, _worst_errors, _worst_images
from .split_predictions import SplitPredictions, predict_test_split
from .work_dir import WorkDir, read_work_dir

TEMPLATE = Path(__file__).with_name('page.html')
# Attributes that define subgroups.
SUBGROUPS = ('Male', 'Young')
# Mean accuracies that differ by more than this, in points, cannot be from the same predictions.
TOLERANCE = 0.005


def write_report(
    work_dir: Union[str, Path],
    out: Union[str, Path, None] = None,
    data_root: Optional[str] = None,
    checkpoint: Optional[str] = None,
    pictures: bool = False,
    compare: Union[str, Path, None] = None,
) -> Tuple[Path, List[str]]:
    """Writes the report of a work directory.

    Args:
        work_dir: The work directory of a run, finished or not.
        out: The HTML file; the default is ``report.html`` in the work directory.
        data_root: The dataset directory; the default is the one used in training, if it exists.
        checkpoint: A file to use instead of the best checkpoint of the directory, such as a calibrated one.
        pictures: Show the images of the worst errors.
        compare: The work directory of a second run to compare with.

    Returns:
        The path of the page, and one line for each missing part.

    Raises:
        DataError: A directory is not that of a run, a file in it is damaged, the second run has no results or other
            attributes, or the page cannot be written.
        IMCNNError: The test split cannot be predicted, although ``data_root`` or ``checkpoint`` is given. Without
            these, the page has a note instead.
    """
    run = read_work_dir(work_dir, checkpoint)
    path = writable(Path(out or run.path / 'report.html'))
    second = _read_second(run, compare) if compare else None
    predictions = None
    try:
        if run.checkpoint is None:
            raise DataError(f'{run.path} has no checkpoint')
        predictions = predict_test_split(run.checkpoint, data_root)
    except IMCNNError as error:
        if data_root or checkpoint:
            raise
        run.notes.append(f'The test split was not predicted: {error}.')
    notes = [*run.notes, *_find_mismatches(run, predictions)]
    if second and predictions:
        # Its stored report may be of another split.
        _check_attributes(second, predictions.report, run.path)
    if second and (report := predictions.report if predictions else run.report):
        notes += _find_differences(report, second)
    write_text(path, _render_page(run, predictions, notes, pictures, second))
    return path, notes


def _read_second(run: WorkDir, compare: Union[str, Path]) -> WorkDir:
    """Reads the run to compare with."""
    second = read_work_dir(compare)
    if second.report is None:
        raise DataError(f'{second.path} has no per_attribute.json to compare with: test that run first')
    if run.report:
        _check_attributes(second, run.report, run.path)
    return second


def _check_attributes(second: WorkDir, report: AttributeReport, path: Path) -> None:
    if set(second.report.attributes) != set(report.attributes):
        raise DataError(f'{second.path} was evaluated on other attributes than {path}: compare runs of one dataset')


def _find_differences(report: AttributeReport, second: WorkDir) -> Iterator[str]:
    """A note if a report and the second run's are of different images."""
    # The checksums are of the split's images, which are those of a fold.
    if (report.checksums, report.split) != (second.report.checksums, second.report.split):
        yield (
            f'{second.name} was evaluated on other images ({second.report.describe()}): differences from it are not '
            'those of the models alone.'
        )


def _find_mismatches(run: WorkDir, predictions: Optional[SplitPredictions]) -> Iterator[str]:
    """Notes on results that do not belong together."""
    if run.report is None:
        return
    if predictions is None:
        if run.report.split not in ('test', None):
            yield f'The results are of the {run.report.split} split: no test has completed.'
    elif run.report.split == predictions.report.split:
        stored, found = run.report.mean_accuracy, predictions.report.mean_accuracy
        if None not in (stored, found) and abs(stored - found) > TOLERANCE:
            yield (
                f'per_attribute.json has a mean accuracy of {stored:.2f} %, but {run.checkpoint.name} has {found:.2f} '
                '%, which this page shows: the checkpoint, its calibration or the data differ.'
            )


def _render_page(
    run: WorkDir,
    predictions: Optional[SplitPredictions],
    notes: List[str],
    pictures: bool = False,
    second: Optional[WorkDir] = None,
) -> str:
    """The page's HTML."""
    report = predictions.report if predictions else run.report
    values = dict(
        name=run.name,
        notes=notes,
        facts=list(_run_facts(run, report)),
        config_text=run.config_text,
        figures=[(svg_uri(figure), caption) for figure, caption in plot_training_curves(run.log)] if run.log else [],
        table=_attribute_table(run, report, predictions, second and second.report) if report else None,
        second=second and second.path.resolve().name,
        predicted=predictions is not None,
        pictures=pictures,
    )
    if predictions:
        values.update(
            calibration=_calibration(predictions),
            subgroups=[_subgroup_table(predictions, name) for name in SUBGROUPS if name in predictions.classes],
            label_conflicts=count_label_conflicts(predictions.predicted, predictions.targets, predictions.classes),
            consistent_accuracy=predictions.consistent_accuracy,
            accuracy=predictions.report.mean_accuracy,
            worst_errors=_worst_errors(predictions, pictures),
            worst_images=_worst_images(predictions, pictures),
        )
    return render_template(TEMPLATE, values, dict(show=_show, signed=partial(_show, sign='+'), breakable=_breakable))


def _show(value: Optional[float], digits: int = 2, sign: str = '') -> str:
    """A number, or a dash for None and NaN."""
    # Adding 0 drops the sign of -0.
    return '–' if value is None or np.isnan(value) else f'{round(value, digits) + 0:{sign}.{digits}f}'


def _breakable(text: str) -> Markup:
    """An escaped name with line break opportunities after underscores and slashes."""
    return Markup(re.sub('([_/])', r'\1<wbr>', str(escape(text))))
