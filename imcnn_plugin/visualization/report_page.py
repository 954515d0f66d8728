"""The report of a training as one HTML file that needs nothing else: no network, no other files."""

import base64
import io
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from ..apis.loading import read_image
from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError, IMCNNError
from ..evaluation.attribute_scores import mean_or_none
from ..evaluation.calibration import calibration_errors
from ..evaluation.contradictions import count_contradictions
from ..evaluation.mistakes import worst_mistakes
from ..evaluation.paired_bootstrap import paired_interval
from ..evaluation.published import WINNER, read_published
from ..evaluation.reliability import reliability
from ..evaluation.report import describe_part
from ..evaluation.subgroups import compare_subgroups
from ..files import write_text
from .report_figures import plot_accuracy, plot_losses, plot_metrics, plot_reliability, svg_address
from .run_folder import RunFolder, epochs_of, groups_of, read_run
from .run_predictions import RunPredictions, predict_test_part

TEMPLATE = Path(__file__).with_name('report_page.html')
# Attributes by which images are parted.
PARTED_BY = ('Male', 'Young')
# How many mistakes are listed, of one attribute at most, and how many images.
MISTAKES, OF_ONE, IMAGES = 30, 3, 10
# Of a picture, in pixels.
THUMBNAIL = 112
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
        figures=[] if run.log is None else list(log_figures(run)),
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


def facts(run: RunFolder, predictions: Optional[RunPredictions]) -> Iterator[Tuple[str, str]]:
    """What the figures were made with: names and texts."""
    stored, config = run.report or {}, run.config or {}
    report = predictions.report if predictions else stored
    yield 'Config', run.config_file
    if 'model' in config:
        parts = [config['model'].get(part) for part in ('backbone', 'neck', 'head')]
        yield 'Model', ', '.join(part['type'] for part in parts if part)
    if report:
        part = describe_part(report)
        yield 'Tested on', f'{part + ": " if part else ""}{people(report)}'
    yield 'Checkpoint', run.checkpoint.name if run.checkpoint else 'not found'
    wanted = epochs_of(run.config)
    if run.log:
        yield f'{run.log.unit.capitalize()}s', f'{run.log.last}' + (f' of {wanted}' if wanted else '')
        starts = f', the first of {len(run.log.starts)} starts' if len(run.log.starts) > 1 else ''
        yield 'Training began', clock(run.log.starts[0]) + starts
    seed = stored.get('seed', (config.get('randomness') or {}).get('seed'))
    yield 'Seed', 'not recorded' if seed is None else str(seed)
    if thresholds := [x['threshold'] for x in report.get('attributes', {}).values() if 'threshold' in x]:
        low, high = min(thresholds), max(thresholds)
        yield 'Thresholds', f'{low:.3g}' + (f' to {high:.3g}, one for each attribute' if low < high else '')
    versions = stored.get('versions') or {}
    yield 'Versions', ', '.join(f'{name} {version}' for name, version in versions.items()) or 'not recorded'
    for name, value in (report.get('checksums') or {}).items():
        yield f'Checksum of {name}', str(value)


def people(report: dict) -> str:
    return f'{report["num_images"]:,} images of {report["num_identities"]:,} people'


def clock(name: str) -> str:
    """The time for which a start's folder is named."""
    try:
        return f'{datetime.strptime(name, "%Y%m%d_%H%M%S"):%Y-%m-%d %H:%M:%S}'
    except ValueError:
        return name


def log_figures(run: RunFolder) -> Iterator[Tuple[str, str]]:
    """Addresses of pictures, and what they show."""
    log = run.log
    if log.train:
        yield svg_address(plot_losses(log.train, log.unit)), f'Training losses, the mean of each {log.unit}'
    if 'mean_accuracy' in log.val:
        last = log.val['mean_accuracy'][1][-1]
        yield svg_address(plot_accuracy(log.val, log.unit)), f'Validation: mean accuracy, {last:.2f} % at the end'
    if 'mean_balanced_accuracy' in log.val:
        yield svg_address(plot_metrics(log.val, log.unit)), 'Validation: balanced accuracy, average precision and F1'


def attribute_table(run: RunFolder, report: dict, predictions: Optional[RunPredictions]) -> Dict[str, Any]:
    """Rows of attributes and of groups, their means, and what the columns are."""
    names = list(report['attributes'])
    printed, average, subset = published(run, names)
    errors = np.full(len(names), np.nan)
    if predictions:
        errors = calibration_errors(predictions.probabilities, predictions.targets)[0]
    thresholds = [values.get('threshold') for values in report['attributes'].values()]
    rows = [
        dict(values, name=name, gain=gain(values), printed=printed.get(name), error=error, threshold=threshold)
        for (name, values), error, threshold in zip(report['attributes'].items(), errors, thresholds)
    ]
    means = dict(report['means'], gain=gain(report['means']), printed=average, error=mean_or_none(errors))
    labels = {
        group['name']: group['labels'] for group in (predictions.groups if predictions else groups_of(run.config))
    }
    groups = []
    for name, accuracy in report['groups'].items():
        members = [row for row in rows if row['name'] in labels.get(name, ())]
        columns = {
            key: mean_or_none([np.nan if row[key] is None else row[key] for row in members] or [np.nan])
            for key in ('majority_baseline', 'gain', 'printed', 'balanced_accuracy')
        }
        groups.append(dict(columns, name=name, accuracy=accuracy, labels=[row['name'] for row in members]))
    below = [row['name'] for row in rows if row['gain'] is not None and row['gain'] < -1e-9]
    return dict(
        rows=rows,
        means=means,
        groups=groups,
        below=below,
        interval=interval(report),
        people=people(report),
        part=describe_part(report),
        subset=subset,
        thresholds=len(set(thresholds)) > 1,
    )


def gain(values: dict) -> Optional[float]:
    """By how much an accuracy is above that of the majority label."""
    pair = values['accuracy'], values['majority_baseline']
    return None if None in pair else pair[0] - pair[1]


def published(run: RunFolder, names: List[str]) -> Tuple[Dict[str, float], Optional[float], Optional[str]]:
    """What the paper prints for its IMCNN: by attribute, the average, and on which data; nothing for other labels."""
    if set(names) != set(ATTRIBUTES):
        return {}, None, None
    dataset = ((run.config or {}).get('test_dataloader') or {}).get('dataset', {})
    subset = 'lfwa' if dataset.get('type') == 'LFWA' else 'celeba'
    table = read_published()
    values = table.values[subset, WINNER].tolist()
    return dict(zip(ATTRIBUTES, values)), table.averages[subset, WINNER], 'LFWA' if subset == 'lfwa' else 'CelebA'


def interval(report: dict) -> Optional[Tuple[float, float]]:
    """The 95 % interval over persons of the share of labels that are right; None where the report has no persons."""
    persons = report.get('by_identity')
    if not persons or len(persons['identity']) < 2:
        return None
    right = np.array([persons['correct']])
    return paired_interval(right, np.zeros_like(right), np.array(persons['labelled']))[1:]


def calibration(predictions: RunPredictions) -> Dict[str, Any]:
    """The reliability diagram, and the expected calibration error of all labels together, in points."""
    p, y = predictions.probabilities, predictions.targets
    pooled = calibration_errors(p.reshape(-1, 1), y.reshape(-1, 1))[0][0]
    return dict(figure=svg_address(plot_reliability(reliability(p, y))), pooled=pooled, labels=int((y >= 0).sum()))


def subgroup_table(predictions: RunPredictions, name: str) -> Dict[str, Any]:
    """Rows of attributes by whether images have the attribute ``name``, widest gap first."""
    parts = compare_subgroups(
        predictions.predicted, predictions.targets, predictions.identity, predictions.classes.index(name)
    )
    rows = [
        dict(name=attribute, accuracy=accuracy, prevalence=prevalence, gap=gap, low=low, high=high)
        for attribute, accuracy, prevalence, gap, low, high in zip(
            predictions.classes, parts.accuracy.T, parts.prevalence.T, parts.gap, parts.low, parts.high
        )
    ]
    means = dict(gap=parts.gap[-1], low=parts.low[-1], high=parts.high[-1])
    means['accuracy'], means['prevalence'] = (
        [mean_or_none(values) for values in part] for part in (parts.accuracy, parts.prevalence)
    )
    rows.sort(key=lambda row: -np.nan_to_num(abs(row['gap'])))
    return dict(name=name, images=parts.images.tolist(), rows=rows, means=means)


def list_mistakes(predictions: RunPredictions, pictures: bool) -> List[Dict[str, Any]]:
    """The wrong predictions that the model is most certain of."""
    rows, columns = worst_mistakes(
        predictions.probabilities, predictions.targets, predictions.thresholds, MISTAKES, OF_ONE
    )
    names = predictions.names
    return [
        dict(
            image=names[row],
            person=int(predictions.identity[row]),
            attribute=predictions.classes[column],
            label=bool(predictions.targets[row, column] == 1),
            probability=100 * float(predictions.probabilities[row, column]),
            picture=thumbnail(predictions.paths[row]) if pictures else None,
        )
        for row, column in zip(rows, columns)
    ]


def list_torn(predictions: RunPredictions, pictures: bool) -> List[Dict[str, Any]]:
    """The images with the most wrong predictions."""
    known = predictions.targets >= 0
    wrong = known & (predictions.predicted != (predictions.targets == 1))
    names = predictions.names
    return [
        dict(
            image=names[row],
            person=int(predictions.identity[row]),
            wrong=int(wrong[row].sum()),
            known=int(known[row].sum()),
            attributes=[predictions.classes[column] for column in np.flatnonzero(wrong[row])],
            picture=thumbnail(predictions.paths[row]) if pictures else None,
        )
        for row in np.argsort(-wrong.sum(1), kind='stable')[:IMAGES]
        if wrong[row].any()
    ]


def thumbnail(path: str) -> str:
    """A small picture of an image as a ``data:`` address.

    Raises:
        DataError: There is no such file.
    """
    if not Path(path).is_file():
        raise DataError(f'{path} not found: pictures need the data set as files')
    picture, file = Image.fromarray(read_image(path)), io.BytesIO()
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(file, format='JPEG', quality=85)
    return 'data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode()
