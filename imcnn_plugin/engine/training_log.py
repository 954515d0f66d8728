import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..checkpoints.read_checkpoint import read_checkpoint
from ..errors import DataError, IMCNNError

# Epochs or iterations, and values, both ``(E, )``.
Curve = Tuple[np.ndarray, np.ndarray]
# The prefix of PerAttributeAccuracy's metrics.
METRIC_PREFIX = 'attr/'


@dataclass(frozen=True)
class TrainingLog:
    """The values that mmengine logged in a run, by epoch, or by iteration if the run counts only iterations.

    Args:
        train: Losses by key, averaged over an epoch's logged values.
        val: Metrics of :class:`~imcnn_plugin.evaluation.PerAttributeAccuracy` by key, without the prefix and without
            per-attribute metrics.
        starts: Names of the log folders of all starts of the run, which are timestamps.
        unit: 'epoch' or 'iteration'.
    """

    train: Dict[str, Curve]
    val: Dict[str, Curve]
    starts: Tuple[str, ...]
    unit: str

    @property
    def last(self) -> int:
        """The last validated epoch or, without validation, the last epoch with a value; 0 if there is none."""
        curves = [*self.val.values()] or [*self.train.values()]
        return int(max((numbers[-1] for numbers, _ in curves), default=0))


def read_log(work_dir: Union[str, Path]) -> Optional[TrainingLog]:
    """Reads ``<time>/vis_data/scalars.json`` of all starts of a run; None if there is no log.

    If several starts logged an epoch, the latest counts. A start after the one that wrote the last checkpoint counts
    only if it completed an epoch: otherwise nothing that it trained is left.

    Raises:
        DataError: A line of a file cannot be read.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        return None
    trained: List[Tuple[int, dict]] = []
    validated: List[Tuple[int, dict]] = []
    last, starts = _last_start(Path(work_dir)), []
    for path in files:
        new_trained, new_validated = _read_lines(path)
        started = path.parents[1].name
        if last and started > last and not new_validated and len({number for number, _ in new_trained}) < 2:
            continue
        starts.append(started)
        # If a run was resumed within an epoch, the later start counts. A start may also begin with the validation of
        # an epoch that an earlier start trained.
        start = min((number for number, _ in new_trained), default=np.inf)
        trained = [line for line in trained if line[0] < start] + new_trained
        start = min([start, *(number for number, _ in new_validated)])
        validated = [line for line in validated if line[0] < start] + new_validated
    lines = trained + validated
    train, val = {}, {}
    for number, values in lines:
        for key, value in values.items():
            if key.startswith(METRIC_PREFIX) and key.count('/') == 1:
                val.setdefault(key.removeprefix(METRIC_PREFIX), []).append((number, value))
            elif key.startswith('loss'):
                train.setdefault(key, []).append((number, value))
    curves = ({key: mean_by_key(pairs) for key, pairs in part.items()} for part in (train, val))
    unit = 'epoch' if any('epoch' in values for _, values in lines) else 'iteration'
    return TrainingLog(*curves, tuple(starts), unit)


def _last_start(work_dir: Path) -> Optional[str]:
    """The log folder of the start that wrote the last checkpoint of a work directory; None if no file is readable."""
    found = []
    for path in work_dir.glob('*.pth'):
        with suppress(IMCNNError):
            found += re.findall('[0-9]{8}_[0-9]{6}$', str(read_checkpoint(path).meta.get('experiment_name')))
    return max(found, default=None)


def read_epoch_log(work_dir: Union[str, Path]) -> TrainingLog:
    """Like :func:`read_log`, for a run that logged ``loss_attr`` by epoch.

    Raises:
        DataError: There is no log, it has no such values, or a line cannot be read.
    """
    log = read_log(work_dir)
    if log is None:
        raise DataError(f'{work_dir} has no <time>/vis_data/scalars.json: give the work directory of a run')
    if 'loss_attr' not in log.train or log.unit != 'epoch':
        raise DataError(f"{work_dir}: its scalars.json has no line with 'epoch' and 'loss_attr'")
    return log


def _read_lines(path: Path) -> Tuple[List[Tuple[int, dict]], List[Tuple[int, dict]]]:
    """The epoch or iteration and the values of each line, for training and for validation.

    Lines of a run that counts only iterations have no epoch.
    """
    lines = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(keepends=True), 1):
        # The last line of a run that is still training may be incomplete.
        if not line.strip() or not line.endswith('\n'):
            continue
        try:
            values = {key: float(value) for key, value in json.loads(line).items()}
            lines.append((values, _metric_prefix(values), int(values['step']), int(values.get('epoch', 0))))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: expected a line of mmengine's scalars ({error!r})") from error
    # By default, mmengine numbers validations by epoch, and an iteration-based loop stays in the first epoch.
    by_epoch = any(epoch for *_, epoch in lines) and all(step for _, prefix, step, _ in lines if prefix)
    trained, validated, last = [], [], 0
    for values, prefix, step, epoch in lines:
        if prefix:
            own = {key: value for key, value in values.items() if key.startswith(prefix)}
            values = {METRIC_PREFIX + key.removeprefix(prefix): value for key, value in own.items()}
            validated.append((step if by_epoch else max(step, last), values))
            continue
        if not by_epoch:
            values.pop('epoch', None)
        last = epoch if by_epoch and epoch else step
        trained.append((last, values))
    return trained, validated


def _metric_prefix(values: Dict[str, float]) -> Optional[str]:
    """The prefix of PerAttributeAccuracy's metrics in a validation line; None for other lines."""
    found = [key.removesuffix('mean_accuracy') for key in values if key.endswith('/mean_accuracy')]
    return METRIC_PREFIX if any(key.startswith(METRIC_PREFIX) for key in values) else next(iter(found), None)


def mean_by_key(pairs: Sequence[Tuple[float, float]]) -> Curve:
    """The sorted distinct first numbers of pairs ``(E, )``, and the mean second number of each ``(E, )``."""
    table = np.array(pairs, float).reshape(-1, 2)
    keys, place = np.unique(table[:, 0], return_inverse=True)
    return keys, np.bincount(place, table[:, 1]) / np.bincount(place)
