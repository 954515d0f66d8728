"""Reads measured accuracies, from test reports or from files of rows made from them."""

import json
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from ..evaluation import REPORT_FILE, TEST_FOLDER, AttributeReport, describe_split
from .published import DATASETS

# The values of a report that a row has for each attribute, in percent.
MEASURES = ('accuracy', 'majority_baseline', 'label_agreement')
# Protocols that only LFWA has.
LFWA_PROTOCOLS = ('halves', 'whole', 'lfwa')
_REQUIRED = dict(name=str, dataset=str, num_images=int, num_identities=int, **dict.fromkeys(MEASURES, dict))
_OPTIONAL = dict(protocol=str, split=str, fold=int, seed=int)


@dataclass(frozen=True)
class MeasuredResults:
    """Results of a model on one dataset in one or more runs, in percent, NaN where undefined.

    Args:
        name: Name of the model.
        dataset: Key of :data:`~imcnn_plugin.paper.DATASETS`.
        accuracy: ``(runs, 40)``, in the order of ``ATTRIBUTES``.
        majority_baseline: Majority-class baseline of the evaluated images, ``(runs, 40)``.
        label_agreement: How often the labels of two images of an identity agree, ``(runs, 40)``.
        evaluated_on: A description of each run's test data.
        rows: One row per run, dicts for a JSON file.
    """

    name: str
    dataset: str
    accuracy: np.ndarray
    majority_baseline: np.ndarray
    label_agreement: np.ndarray
    evaluated_on: Tuple[str, ...]
    rows: Tuple[dict, ...]


def read_measured_results(arguments: Sequence[str]) -> List[MeasuredResults]:
    """Reads results from ``NAME=WORK_DIR``, from ``WORK_DIR`` (used as the name), or from a file of named rows.

    ``WORK_DIR`` may also be a ``per_attribute.json`` or a pattern such as ``work_dirs/sweep/imcnn-seed*``.
    Results with the same name on the same dataset are runs of one model.

    Raises:
        DataError: A file is not a report of CelebA's 40 attributes, a row is damaged, or a run is given twice.
    """
    runs: Dict[Tuple[str, str], List[dict]] = {}
    for argument in arguments:
        for row in _read_argument(argument):
            others = runs.setdefault((row['name'], row['dataset']), [])
            # Rows are rounded when they are written.
            if _rounded(row) in map(_rounded, others):
                raise DataError(f'{argument}: this run of {row["name"]} is given twice: give each run once')
            others.append(row)
    return [
        MeasuredResults(
            name,
            dataset,
            *(np.array([[row[key][label] for label in ATTRIBUTES] for row in rows], float) for key in MEASURES),
            tuple(map(_describe_split, rows)),
            tuple(map(_rounded, rows)),
        )
        for (name, dataset), rows in runs.items()
    ]


def tested_dataset(protocol: Optional[str], config: Optional[Mapping[str, Any]]) -> str:
    """The key in :data:`~imcnn_plugin.paper.DATASETS` of the test data: LFWA by protocol or config, else CelebA."""
    kind = (((config or {}).get('test_dataloader') or {}).get('dataset') or {}).get('type')
    return 'lfwa' if protocol in LFWA_PROTOCOLS or str(kind).endswith('LFWA') else 'celeba'


def _read_argument(argument: str) -> List[dict]:
    name, separator, path = argument.partition('=')
    # A path may also contain an equals sign.
    if not separator or Path(argument).exists():
        name, path = None, argument
    if name == '' or not path:
        raise DataError(f'{argument}: expected NAME=WORK_DIR')
    found = []
    for file in sorted(glob(path)) or [path]:
        if Path(file).is_dir():
            file = str(Path(file, REPORT_FILE))
        rows = _read_rows(file)
        if rows and name:
            raise DataError(f'{argument}: the rows of {file} have names: omit {name}=')
        found += [_row_of_report(name or _run_name(file), file)] if rows is None else rows
    return found


def _run_name(file: str) -> str:
    """The name of the work directory of a report, which may be in the test folder inside it."""
    folder = Path(file).resolve().parent
    return folder.parent.name if folder.name == TEST_FOLDER else folder.name


def _row_of_report(name: str, path: str) -> dict:
    report = AttributeReport.load(path)
    missing = [name for name in ATTRIBUTES if name not in report.attributes]
    unknown = [name for name in report.attributes if name not in ATTRIBUTES]
    if missing or unknown:
        raise DataError(
            f"{path}: 'attributes' are not CelebA's 40: {len(missing)} are missing {missing[:3]}, "
            f'{len(unknown)} are unknown {unknown[:3]}'
        )
    return dict(
        name=name,
        dataset=tested_dataset(report.protocol, report.config),
        **{key: getattr(report, key) for key in _OPTIONAL if getattr(report, key) is not None},
        num_images=report.num_images,
        num_identities=report.num_identities,
        **{key: {label: report.attributes[label][key] for label in ATTRIBUTES} for key in MEASURES},
    )


def _read_rows(path: Union[str, Path]) -> Optional[List[dict]]:
    """The rows in a file; None if it is not a file of rows.

    Raises:
        DataError: A row is damaged.
    """
    try:
        content = json.loads(Path(path).read_bytes())
        rows = content['measured']
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(rows, list):
        raise DataError(f"{path}: 'measured' is {str(rows)[:60]!r}, expected a list of rows")
    for number, row in enumerate(rows, 1):
        _check_row(f'{path}, row {number}', row)
    return rows


def _check_row(where: str, row: Any) -> None:
    for key, kind in (*_REQUIRED.items(), *_OPTIONAL.items()):
        value = row.get(key) if isinstance(row, dict) else None
        if type(value) is not kind and not (key in _OPTIONAL and value is None):
            raise DataError(f"{where}: '{key}' is {str(value)[:60]!r}, expected {kind.__name__}")
    if row['dataset'] not in DATASETS:
        raise DataError(f"{where}: 'dataset' is {row['dataset']!r}, expected one of {list(DATASETS)}")
    for key in MEASURES:
        for label in ATTRIBUTES:
            value = row[key].get(label, 'missing')
            if value is not None and not (type(value) in (int, float) and 0 <= value <= 100):
                raise DataError(f'{where}: {key} of {label} is {value!r}, expected a percentage or null')


def _rounded(row: dict) -> dict:
    """A row rounded to four decimals, as written to files."""
    shares = {key: {label: value and round(value, 4) for label, value in row[key].items()} for key in MEASURES}
    return {**row, **shares}


def _describe_split(row: dict) -> str:
    size = f'{row["num_images"]:,} images of {row["num_identities"]:,} identities'
    return ': '.join(filter(None, [describe_split(row), size]))
