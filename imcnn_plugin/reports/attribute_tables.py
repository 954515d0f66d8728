"""The sections of a report on attributes, groups and setup."""

from datetime import datetime
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..evaluation import AttributeReport, calibration_errors, describe_split, mean_or_none, paired_interval
from ..paper import DATASETS, WINNER, read_published, tested_dataset
from .split_predictions import SplitPredictions
from .work_dir import WorkDir, _attribute_groups, _planned_epochs

# Number of attributes that the summary names at each end, and the calibration error in points at which it warns.
NAMED, MISCALIBRATED = 5, 10


def _attribute_table(
    run: WorkDir,
    report: AttributeReport,
    predictions: Optional[SplitPredictions],
    other: Optional[AttributeReport] = None,
) -> Dict[str, Any]:
    """Rows of attributes and of groups, the means, and the columns to show; ``other`` is a second run."""
    published, average, subset = _published_accuracies(run, report)
    ece = np.full(len(report.attributes), np.nan)
    if predictions:
        ece = calibration_errors(predictions.probabilities, predictions.targets)[0]
    rows = [
        dict(
            values,
            name=name,
            gain=_gain(values),
            published=published.get(name),
            ece=error,
            **_beside(values, other.attributes[name] if other else None),
        )
        for (name, values), error in zip(report.attributes.items(), ece)
    ]
    groups = predictions.groups if predictions else _attribute_groups(run.config)
    labels = {group['name']: group['labels'] for group in groups}
    return dict(
        rows=rows,
        means=dict(
            report.means,
            gain=_gain(report.means),
            published=average,
            ece=mean_or_none(ece),
            **_beside(report.means, other.means if other else None),
        ),
        groups=[
            _group_row(name, accuracy, [row for row in rows if row['name'] in labels.get(name, ())])
            for name, accuracy in report.groups.items()
        ],
        below=[row['name'] for row in rows if row['gain'] is not None and row['gain'] < -1e-9],
        summary=_summary(rows),
        interval=_accuracy_interval(report),
        images=report.count_images(),
        split=describe_split(vars(report)),
        subset=subset,
        thresholds=len({row['threshold'] for row in rows}) > 1,
    )


def _beside(values: dict, other: Optional[dict]) -> Dict[str, Optional[float]]:
    """The accuracy of a second run, and by how much this run exceeds it."""
    pair = values['accuracy'], other and other['accuracy']
    return dict(other=pair[1], difference=None if None in pair else pair[0] - pair[1])


def _summary(rows: List[dict]) -> Dict[str, List[Tuple[str, float]]]:
    """The attributes with the largest and the smallest gains, and those with the worst calibration."""
    gains = sorted(((row['name'], row['gain']) for row in rows if row['gain'] is not None), key=lambda pair: -pair[1])
    errors = [(row['name'], float(row['ece'])) for row in rows if row['ece'] >= MISCALIBRATED]
    named = min(NAMED, len(gains) // 2)
    return dict(
        best=gains[:named],
        worst=gains[::-1][:named],
        miscalibrated=sorted(errors, key=lambda pair: -pair[1])[:NAMED],
    )


def _group_row(name: str, accuracy: Optional[float], members: List[dict]) -> Dict[str, Any]:
    columns = ('majority_baseline', 'gain', 'published', 'balanced_accuracy')
    means = {key: mean_or_none(np.array([row[key] for row in members], float)) for key in columns}
    return dict(means, name=name, accuracy=accuracy, labels=[row['name'] for row in members])


def _gain(values: dict) -> Optional[float]:
    """Accuracy minus that of the majority-class baseline."""
    pair = values['accuracy'], values['majority_baseline']
    return None if None in pair else pair[0] - pair[1]


def _published_accuracies(
    run: WorkDir, report: AttributeReport
) -> Tuple[Dict[str, float], Optional[float], Optional[str]]:
    """The paper's IMCNN by attribute, its average, and the dataset's name; nothing for other attributes."""
    if set(report.attributes) != set(ATTRIBUTES):
        return {}, None, None
    subset = tested_dataset(report.protocol, run.config)
    table, key = read_published(), (subset, WINNER)
    return dict(zip(ATTRIBUTES, table.values[key].tolist())), table.averages[key], DATASETS[subset]


def _accuracy_interval(report: AttributeReport) -> Optional[Tuple[float, float]]:
    """The 95 % interval over identities of the mean accuracy; None if it is undefined."""
    counts = report.by_identity
    if not counts or len(counts['identity']) < 2:
        return None
    correct, labelled = (np.array([*counts[key].values()]).T for key in ('correct', 'labelled'))
    return paired_interval(correct[None], np.zeros_like(correct[None]), labelled)[1:]


def _run_facts(run: WorkDir, report: Optional[AttributeReport]) -> Iterator[Tuple[str, str]]:
    """How the results were produced, as pairs of names and texts."""
    stored, config = run.report, run.config or {}
    yield 'Config', run.config_file
    if 'model' in config:
        modules = [config['model'].get(key) for key in ('backbone', 'neck', 'head')]
        yield 'Model', ', '.join(module['type'] for module in modules if module)
    if report:
        yield 'Tested on', report.describe()
    yield 'Checkpoint', run.checkpoint.name if run.checkpoint else 'not found'
    if run.log:
        planned = _planned_epochs(run.config)
        yield f'{run.log.unit.capitalize()}s', f'{run.log.last}' + (f' of {planned}' if planned else '')
        starts = f', first of {len(run.log.starts)} starts' if len(run.log.starts) > 1 else ''
        yield 'Training started', _start_time(run.log.starts[0]) + starts
    seed = stored.seed if stored else (config.get('randomness') or {}).get('seed')
    yield 'Seed', 'not recorded' if seed is None else str(seed)
    if report and (thresholds := report.describe_thresholds()):
        yield 'Thresholds', thresholds
    versions = stored and stored.versions or {}
    yield 'Versions', ', '.join(f'{name} {version}' for name, version in versions.items()) or 'not recorded'
    for name, value in (report and report.checksums or {}).items():
        yield f'Checksum of {name}', str(value)


def _start_time(name: str) -> str:
    """The time after which mmengine named a start's directory."""
    try:
        return f'{datetime.strptime(name, "%Y%m%d_%H%M%S"):%Y-%m-%d %H:%M:%S}'
    except ValueError:
        return name
