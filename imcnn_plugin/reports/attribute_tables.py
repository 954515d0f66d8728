"""The tables of attributes and of groups in a report."""

from datetime import datetime
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..evaluation.attribute_scores import mean_or_none
from ..evaluation.calibration import calibration_errors
from ..evaluation.paired_bootstrap import paired_interval
from ..evaluation.report import describe_part
from ..paper.published import SETS, WINNER, read_published
from .test_predictions import RunPredictions
from .work_dir import RunFolder, epochs_of, groups_of


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
    return dict(zip(ATTRIBUTES, values)), table.averages[subset, WINNER], SETS[subset]


def interval(report: dict) -> Optional[Tuple[float, float]]:
    """The 95 % interval over persons of the share of labels that are right; None where the report has no persons."""
    persons = report.get('by_identity')
    if not persons or len(persons['identity']) < 2:
        return None
    right, labelled = (np.array([*persons[key].values()]).sum(0) for key in ('correct', 'labelled'))
    return paired_interval(right[None], np.zeros((1, len(right))), labelled)[1:]


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
