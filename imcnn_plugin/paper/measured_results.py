from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from ..evaluation import AttributeReport


@dataclass(frozen=True)
class MeasuredResults:
    """Results of a model with one or more seeds, in percent, NaN where undefined.

    Args:
        name: Name of the model.
        accuracy: ``(seeds, 40)``, in the order of ``ATTRIBUTES``.
        majority_baseline: Majority-class baseline of the evaluated images, ``(seeds, 40)``.
        evaluated_on: For each seed, what it was evaluated on, in words.
    """

    name: str
    accuracy: np.ndarray
    majority_baseline: np.ndarray
    evaluated_on: Tuple[str, ...]


def read_measured_results(arguments: Sequence[str]) -> List[MeasuredResults]:
    """Results from ``NAME=FILE`` or ``FILE``, named after its folder. Files with the same name are seeds of one model.

    Raises:
        DataError: A file is no report of CelebA's 40 attributes, or is given twice.
    """
    reports: Dict[str, List[AttributeReport]] = {}
    seen = set()
    for argument in arguments:
        name, separator, path = argument.partition('=')
        # The path of a file may contain an equals sign, too.
        if not separator or Path(argument).is_file():
            name, path = Path(argument).resolve().parent.name, argument
        if not name or not path:
            raise DataError(f'{argument}: expected NAME=FILE')
        if Path(path).resolve() in seen:
            raise DataError(f'{path} is given twice: give the file of each seed once')
        seen.add(Path(path).resolve())
        reports.setdefault(name, []).append(_load_celeba_report(path))
    return [
        MeasuredResults(
            name,
            np.stack([report.column('accuracy', ATTRIBUTES) for report in seeds]),
            np.stack([report.column('majority_baseline', ATTRIBUTES) for report in seeds]),
            tuple(report.describe() for report in seeds),
        )
        for name, seeds in reports.items()
    ]


def _load_celeba_report(path: str) -> AttributeReport:
    report = AttributeReport.load(path)
    missing = [name for name in ATTRIBUTES if name not in report.attributes]
    unknown = [name for name in report.attributes if name not in ATTRIBUTES]
    if missing or unknown:
        raise DataError(
            f"{path}: 'attributes' are not CelebA's 40: {len(missing)} are missing {missing[:3]}, "
            f'{len(unknown)} are unknown {unknown[:3]}'
        )
    return report
