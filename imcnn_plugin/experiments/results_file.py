"""The results file of a sweep: one JSON object per line, appended atomically, so that a crash loses no row."""

import base64
import errno
import io
import json
import math
import os
import re
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import DataError
from ..evaluation import AGREEMENTS, AttributeReport
from ..files import sync
from .job import Job
from .variant import Variant

# The keys that identify a run, together with the fold in cross-validation.
KEY = ('name', 'config_hash', 'seed')
# The directories of an absolute path, which would reveal a machine and its user.
_DIRECTORIES = re.compile(r'(?<![\w.*~}-])~?/(?:[^/\s,\'")\]]+/)*')


def read_rows(path: Union[str, Path], repair: bool = False) -> List[dict]:
    """The rows of a results file; none if there is no file. Those of a folder are the rows of its ``*.jsonl`` files.

    If a name, config, seed and fold occur more than once, the first row counts. A truncated last line is skipped with
    a warning.

    Args:
        path: The file, or a folder of files that several machines wrote.
        repair: Whether to remove a truncated last line, so that rows can be appended.

    Raises:
        DataError: The file or a line of it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        return []
    rows = {}
    for file in sorted(path.glob('*.jsonl')) if path.is_dir() else [path]:
        for number, line in enumerate(_complete_lines(file, repair), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                # Older versions wrote this name.
                if 'lasting' in row:
                    row['identity_stable'] = row.pop('lasting')
                rows.setdefault((*(row[key] for key in KEY), row.get('fold')), row)
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f'{file}, line {number}: not a row of a results file ({error!r})') from error
    return list(rows.values())


def _complete_lines(path: Path, repair: bool) -> List[bytes]:
    """The lines of a file without a truncated last one, which is removed from the file if ``repair``."""
    try:
        content = path.read_bytes()
        last = content.rpartition(b'\n')[2]
        if last and not _is_json(last):
            action = 'removed' if repair else 'skipped'
            print(f'warning: {path}: the last line is truncated and was {action}: {last[:60]!r}', file=sys.stderr)
            content = content.removesuffix(last)
            if repair:
                os.truncate(path, len(content))
        elif last and repair:
            # An editor dropped the newline at the end of the file.
            _append(path, b'\n')
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror})') from error
    return content.splitlines()


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def group_rows(rows: Sequence[dict], variants: Sequence[Variant] = ()) -> Dict[str, List[dict]]:
    """Rows by variant, in the order of ``variants`` or, without any, of the file.

    If several configs in the file have the same name, the config's hash is appended to the name.
    """
    if variants:
        keys = {(variant.name, variant.config_hash): variant.name for variant in variants}
    else:
        keys = {(row['name'], row['config_hash']): row['name'] for row in rows}
        names = Counter(keys.values())
        keys = {key: name if names[name] == 1 else f'{name} ({key[1]})' for key, name in keys.items()}
    groups = {name: [row for row in rows if (row['name'], row['config_hash']) == key] for key, name in keys.items()}
    return {name: group for name, group in groups.items() if group}


def _make_row(job: Job, report: AttributeReport, val_accuracy: Optional[float], seconds: float, resumed: bool) -> dict:
    """The row of a run: results, counts for intervals, and provenance without absolute paths."""
    if report.mean_accuracy is None:
        raise DataError('no label of the test split is known, so there is no accuracy to compare')
    config = Path(job.variant.config)
    if config.is_absolute():
        config = config.relative_to(Path.cwd()) if config.is_relative_to(Path.cwd()) else Path(config.name)
    stored = report.to_dict()
    return dict(
        name=job.variant.name,
        config=str(config),
        options=[_DIRECTORIES.sub('', option) for option in job.variant.options],
        config_hash=job.variant.config_hash,
        seed=job.seed,
        **{key: stored[key] for key in ('protocol', 'split', 'fold', 'num_images') if key in stored},
        mean_accuracy=round(report.mean_accuracy, 4),
        val_accuracy=val_accuracy and round(val_accuracy, 4),
        **{key: report.means[key] for key in AGREEMENTS},
        accuracy={name: row['accuracy'] and round(row['accuracy'], 4) for name, row in report.attributes.items()},
        identity_stable=report.identity_stable,
        by_identity=_pack_counts(report.by_identity),
        checksums=report.checksums,
        seconds=round(seconds, 1),
        resumed=resumed,
        versions=report.versions,
    )


def _append_row(path: Union[str, Path], row: dict) -> None:
    """Atomically appends a row; raises DataError if the file cannot be written."""
    _append(path, json.dumps(row, separators=(',', ':')).encode() + b'\n')


def _append(path: Union[str, Path], text: bytes) -> None:
    """Appends in a single write and syncs, so that neither a crash nor another sweep splits a line.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'ab', buffering=0) as file:
            if file.write(text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(Path(path))
    except OSError as error:
        raise DataError(f'{path} cannot be written ({error.strerror})') from error


def _pack_counts(by_identity: Dict[str, dict]) -> Dict[str, str]:
    """A report's ``by_identity`` as compressed text, about 6 kB for 549 identities.

    Wrong labels are fewer than correct ones and compress better.
    """
    correct, labelled = (np.array([*by_identity[key].values()]) for key in ('correct', 'labelled'))
    # Sorted numbers: their steps are small. Those of unknown identities begin below -1, so the first may be negative.
    steps = np.diff(by_identity['identity'], prepend=-1)
    return dict(identity=_pack(steps), wrong=_pack(labelled - correct), labelled=_pack(labelled))


def _pack(values: np.ndarray) -> str:
    content = io.BytesIO()
    bounds = values.min(initial=0), values.max(initial=0)
    np.save(content, values.astype(np.result_type(*map(np.min_scalar_type, bounds))))
    return base64.b64encode(zlib.compress(content.getvalue(), 9)).decode()


def _unpack_counts(packed: Dict[str, object], num_attributes: int) -> Dict[str, np.ndarray]:
    """``identity`` ``(I, )``, -1: unknown, and ``correct`` and ``labelled`` ``(I, L)`` of L attributes.

    Raises:
        DataError: The text is damaged.
    """
    identity = packed['identity']
    # Earlier versions stored a list.
    identity = np.array(identity) if isinstance(identity, list) else _unpack(identity).cumsum(dtype=np.int64) - 1
    shape = num_attributes, len(identity)
    wrong, labelled = (_unpack(packed[key], shape).T.astype(int) for key in ('wrong', 'labelled'))
    return dict(identity=identity, correct=labelled - wrong, labelled=labelled)


def _unpack(text: object, shape: Tuple[int, ...] = (-1,)) -> np.ndarray:
    try:
        content = zlib.decompress(base64.b64decode(text, validate=True))
        if content.startswith(np.lib.format.MAGIC_PREFIX):
            return np.load(io.BytesIO(content)).reshape(shape)
        # Earlier versions stored the numbers alone.
        return np.frombuffer(content, f'<u{len(content) // math.prod(shape)}').reshape(shape)
    except (ValueError, zlib.error, TypeError, ZeroDivisionError) as error:
        raise DataError(f"'by_identity' of a row cannot be unpacked ({error})") from error
