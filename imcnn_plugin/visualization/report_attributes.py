"""The tables of attributes and of groups in a report."""

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..evaluation.attribute_scores import mean_or_none
from ..evaluation.calibration import calibration_errors
from ..evaluation.paired_bootstrap import paired_interval
from ..evaluation.published import SETS, WINNER, read_published
from ..evaluation.report import describe_part
from .report_facts import people
from .run_folder import RunFolder, groups_of
from .run_predictions import RunPredictions


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
