"""What mmengine logged of a training, by epochs or, of one that counts iterations alone, by iterations."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import DataError

Curve = Tuple[np.ndarray, np.ndarray]
METRICS = 'attr/'


@dataclass(frozen=True)
class TrainingLog:
    """Curves by their keys: numbers ``(E, )`` of epochs, which count from 1, and values ``(E, )``.

    Args:
        train: Losses, the means of an epoch's logged values.
        val: What :class:`~imcnn_plugin.evaluation.PerAttributeAccuracy` gave, without ``attr/`` and single attributes.
        starts: The folders of the training's starts, which are named by their times.
        unit: 'epoch' or 'iteration'.
    """

    train: Dict[str, Curve]
    val: Dict[str, Curve]
    starts: Tuple[str, ...]
    unit: str

    @property
    def last(self) -> int:
        """The last epoch that was validated or, without a validation, of which something is logged; 0 for none."""
        curves = [*self.val.values()] or [*self.train.values()]
        return int(max((numbers[-1] for numbers, _ in curves), default=0))


def read_log(work_dir: Union[str, Path]) -> Optional[TrainingLog]:
    """The log in ``<time>/vis_data/scalars.json``, of each epoch what the latest start logged; None without a file.

    Raises:
        DataError: A line of a file cannot be read.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        return None
    trained: List[Tuple[int, dict]] = []
    validated: List[Tuple[int, dict]] = []
    for path in files:
        new_trained, new_validated = read_lines(path)
        # Of an epoch within which the training was resumed, the later part counts. A start may make up for the
        # validation of an epoch that was trained before it.
        start = min((number for number, _ in new_trained), default=np.inf)
        trained = [line for line in trained if line[0] < start] + new_trained
        start = min([start, *(number for number, _ in new_validated)])
        validated = [line for line in validated if line[0] < start] + new_validated
    lines = trained + validated
    train, val = {}, {}
    for number, values in lines:
        for key, value in values.items():
            if key.startswith(METRICS) and key.count('/') == 1:
                val.setdefault(key.removeprefix(METRICS), []).append((number, value))
            elif key.startswith('loss'):
                train.setdefault(key, []).append((number, value))
    curves = ({key: mean_by_key(pairs) for key, pairs in part.items()} for part in (train, val))
    unit = 'epoch' if any('epoch' in values for _, values in lines) else 'iteration'
    return TrainingLog(*curves, tuple(path.parents[1].name for path in files), unit)


def read_lines(path: Path) -> Tuple[List[Tuple[int, dict]], List[Tuple[int, dict]]]:
    """The epoch, or what counts in its place, and the numbers of each line, of training and of validation."""
    trained, validated = [], []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(keepends=True), 1):
        # A line that a training is writing has no end yet.
        if not line.strip() or not line.endswith('\n'):
            continue
        try:
            values = {key: float(value) for key, value in json.loads(line).items()}
            of_validation = any(key.startswith(METRICS) for key in values)
            (validated if of_validation else trained).append((int(values.get('epoch', values['step'])), values))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: expected a line of mmengine's scalars ({error!r})") from error
    return trained, validated


def mean_by_key(pairs: Sequence[Tuple[float, float]]) -> Tuple[np.ndarray, np.ndarray]:
    """The first numbers of pairs, each once and in order, ``(E, )``, and the mean of each one's second ``(E, )``."""
    table = np.array(pairs, float).reshape(-1, 2)
    keys, place = np.unique(table[:, 0], return_inverse=True)
    return keys, np.bincount(place, table[:, 1]) / np.bincount(place)
