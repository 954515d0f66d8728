"""The report of a training as one HTML file that needs nothing else: no network, no other files."""

import re
from pathlib import Path
from typing import Iterator, List, Optional, Tuple, Union

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from ..errors import ConfigError, DataError, IMCNNError
from ..files import write_text
from ..label_conflicts import count_contradictions
from ..visualization.report_figures import log_figures
from .attribute_tables import attribute_table, facts
from .prediction_tables import calibration, list_mistakes, list_torn, subgroup_table
from .test_predictions import RunPredictions, predict_test_part
from .work_dir import RunFolder, read_run

TEMPLATE = Path(__file__).with_name('report_page.html')
# Attributes by which images are parted.
PARTED_BY = ('Male', 'Young')
# Two means further apart than this, in points, are not of the same predictions.
SAME = 0.005


def write_report_page(
    work_dir: Union[str, Path],
    out: Union[str, Path, None] = None,
    data_root: Optional[str] = None,
    checkpoint: Optional[str] = None,
    pictures: bool = False,
) -> Tuple[Path, List[str]]:
    """Writes the report of a work folder.

    Args:
        work_dir: The work folder of a training, finished or not.
        out: The page; by default ``report.html`` in the folder.
        data_root: The data set's folder. Without it, the one that the training had is tried.
        checkpoint: A file in place of the folder's best checkpoint, such as a calibrated one.
        pictures: Show the pictures of the worst mistakes, too.

    Returns:
        The page's file, and a line for everything that is missing in it.

    Raises:
        DataError: The folder has nothing of a training, a file in it is damaged, or the page cannot be written.
        IMCNNError: With ``data_root`` or ``checkpoint``: the test part cannot be predicted. Without them, that is a
            line.
    """
    run = read_run(work_dir, checkpoint)
    predictions = None
    try:
        if run.checkpoint is None:
            raise DataError(f'{run.path} has no checkpoint')
        if run.config and not run.config.get('test_dataloader'):
            raise ConfigError('its config has no test part')
        predictions = predict_test_part(run.checkpoint, data_root)
    except IMCNNError as error:
        if data_root or checkpoint:
            raise
        run.notes.append(f'The test part was not predicted: {error}.')
    path = Path(out or run.path / 'report.html')
    notes = [*run.notes, *remarks(run, predictions)]
    write_text(path, render_page(run, predictions, notes, pictures))
    return path, notes


def remarks(run: RunFolder, predictions: Optional[RunPredictions]) -> Iterator[str]:
    """What does not fit in what was found."""
    if predictions is None:
        if run.report and run.report.get('split', 'test') != 'test':
            yield f'The figures are of split {run.report["split"]}: no test has ended.'
        return
    if run.report and run.report.get('split') == predictions.report.get('split'):
        stored, found = (report['mean_accuracy'] for report in (run.report, predictions.report))
        if abs(stored - found) > SAME:
            yield (
                f'per_attribute.json has a mean accuracy of {stored:.2f} %, but {run.checkpoint.name} has {found:.2f} '
                '%, which is what this page shows: it is another checkpoint, calibrated, or tested on other data.'
            )


def render_page(
    run: RunFolder, predictions: Optional[RunPredictions], notes: List[str], pictures: bool = False
) -> str:
    """The page. Whatever comes from files is escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(show=show, signed=signed, breakable=breakable)
    report = predictions.report if predictions else run.report
    context = dict(
        name=run.name,
        notes=notes,
        facts=list(facts(run, predictions)),
        config_text=run.config_text,
        figures=[] if run.log is None else list(log_figures(run.log)),
        table=attribute_table(run, report, predictions) if report else None,
        predicted=predictions is not None,
        pictures=pictures,
    )
    if predictions:
        context.update(
            calibration=calibration(predictions),
            subgroups=[subgroup_table(predictions, name) for name in PARTED_BY if name in predictions.classes],
            contradictions=count_contradictions(predictions.predicted, predictions.targets, predictions.classes),
            mistakes=list_mistakes(predictions, pictures),
            torn=list_torn(predictions, pictures),
        )
    return environment.get_template(TEMPLATE.name).render(context)


def show(value: Optional[float], digits: int = 2) -> str:
    """A number, or a dash for None and NaN."""
    return '–' if value is None or np.isnan(value) else f'{value:.{digits}f}'


def signed(value: Optional[float], digits: int = 2) -> str:
    """As :func:`show`, with a plus where it is one."""
    return '–' if value is None or np.isnan(value) else f'{value:+.{digits}f}'


def breakable(text: str) -> Markup:
    """A name that may be broken after its underscores and slashes, escaped."""
    return Markup(re.sub('([_/])', r'\1<wbr>', str(escape(text))))
