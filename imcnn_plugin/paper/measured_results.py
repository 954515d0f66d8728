import json
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from ..evaluation.report import describe_part

KEYS = ('accuracy', 'majority_baseline')


@dataclass(frozen=True)
class MeasuredRun:
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


def read_runs(arguments: Sequence[str]) -> List[MeasuredRun]:
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
        runs.append(MeasuredRun(name, np.stack(accuracy), np.stack(baseline), parts))
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
    words = [describe_part(report)]
    words += [f'{report[f"num_{key}"]} {key}' for key in ('images', 'identities') if f'num_{key}' in report]
    return *values, ', '.join(filter(None, words))


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
