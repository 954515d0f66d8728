"""The results file of a sweep: one JSON object a line, appended to, which a crash cannot spoil."""

import base64
import errno
import json
import math
import os
import re
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Union

import numpy as np

from ..errors import DataError
from .job import Job
from .variant import Variant

# Of a row, what says that it is there already.
KEY = ('name', 'config_hash', 'seed')
# The folders of an absolute path, which name a machine and its user.
FOLDERS = re.compile(r'(?<![\w.*~}-])~?/(?:[^/\s,\'")\]]+/)*')


def make_row(job: Job, report: dict, val_accuracy: Optional[float], seconds: float, resumed: bool) -> dict:
    """What is kept of a run: figures, what its intervals need and what it was made with; no absolute paths."""
    config = Path(job.variant.config)
    if config.is_absolute():
        config = config.relative_to(Path.cwd()) if config.is_relative_to(Path.cwd()) else Path(config.name)
    return dict(
        name=job.variant.name,
        config=str(config),
        options=[FOLDERS.sub('', option) for option in job.variant.options],
        config_hash=job.variant.config_hash,
        seed=job.seed,
        **{key: report[key] for key in ('protocol', 'split', 'fold', 'num_images') if key in report},
        mean_accuracy=round(report['mean_accuracy'], 4),
        val_accuracy=val_accuracy and round(val_accuracy, 4),
        **{key: report['means'][key] for key in ('agreement', 'label_agreement')},
        accuracy={
            name: None if values['accuracy'] is None else round(values['accuracy'], 4)
            for name, values in report['attributes'].items()
        },
        lasting=report['lasting'],
        by_identity=pack_counts(report['by_identity']),
        checksums=report['checksums'],
        seconds=round(seconds, 1),
        resumed=resumed,
        versions=report['versions'],
    )


def read_rows(path: Union[str, Path], mend: bool = False) -> List[dict]:
    """The rows of a results file, of those with one name, config and seed the first; none where there is no file.

    A last line that was cut off is left out with a warning.

    Args:
        mend: Also remove that line, so that rows can be appended.

    Raises:
        DataError: The file or a line of it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        return []
    rows = {}
    try:
        *lines, last = path.read_bytes().split(b'\n')
        if last and is_json(last):
            # An editor may have left out the end of the line.
            lines.append(last)
            if mend:
                write_at_once(path, b'\n')
        elif last:
            todo = 'removed' if mend else 'left out'
            print(f'warning: {path}: the last line was cut off and is {todo}: {last[:60]!r}', file=sys.stderr)
            if mend:
                os.truncate(path, path.stat().st_size - len(last))
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror})') from error
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            rows.setdefault(tuple(row[key] for key in KEY), row)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f'{path}, line {number}: not a row of a sweep ({error!r})') from error
    return list(rows.values())


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def append_row(path: Union[str, Path], row: dict) -> None:
    """Adds a line, whole or not at all.

    Raises:
        DataError: It cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_at_once(path, json.dumps(row, separators=(',', ':')).encode() + b'\n')
    except OSError as error:
        raise DataError(f'{path} cannot be written ({error.strerror})') from error


def write_at_once(path: Union[str, Path], text: bytes) -> None:
    """Appends in one write, on the disk when this returns, so that neither a crash nor another sweep cuts a line."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if os.write(file, text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)


def group_rows(rows: Sequence[dict], variants: Sequence[Variant] = ()) -> Dict[str, List[dict]]:
    """Rows by variant, in the order of ``variants`` or, without any, of the file.

    Where the file has several configs of one name, the name is followed by the config's hash.
    """
    if variants:
        keys = {(variant.name, variant.config_hash): variant.name for variant in variants}
    else:
        keys = {(row['name'], row['config_hash']): row['name'] for row in rows}
        names = Counter(keys.values())
        keys = {key: name if names[name] == 1 else f'{name} ({key[1]})' for key, name in keys.items()}
    groups = {name: [row for row in rows if (row['name'], row['config_hash']) == key] for key, name in keys.items()}
    return {name: group for name, group in groups.items() if group}


def pack_counts(by_identity: Dict[str, dict]) -> Dict[str, object]:
    """``by_identity`` of a report, its counts as texts; about 8 kB for 549 persons.

    Wrong labels are few and take less room than right ones.
    """
    correct, labelled = (np.array([*by_identity[key].values()]) for key in ('correct', 'labelled'))
    return dict(
        identity=by_identity['identity'],
        wrong=pack(labelled - correct),
        labelled=pack(labelled),
    )


def pack(counts: np.ndarray) -> str:
    # All images of unknown identity are one person's, and may be more than two bytes can count.
    width = 2 if counts.max(initial=0) < 2**16 else 4
    return base64.b64encode(zlib.compress(counts.astype(f'<u{width}').tobytes(), 9)).decode()


def unpack_counts(packed: Dict[str, object], names: Sequence[str], attributes: Sequence[str]) -> Dict[str, np.ndarray]:
    """The numbers of each person's labels, summed over some attributes.

    Args:
        packed: Of :func:`pack_counts`.
        names: The attributes that were tested, in their order.
        attributes: Those that are summed over.

    Returns:
        ``correct`` and ``labelled``, both ``(P, )``.

    Raises:
        DataError: The texts are damaged.
    """
    chosen = [names.index(name) for name in attributes]

    def unpack(text):
        try:
            content = zlib.decompress(base64.b64decode(text, validate=True))
            shape = len(names), len(packed['identity'])
            counts = np.frombuffer(content, f'<u{len(content) // math.prod(shape)}')
            return counts.reshape(shape)[chosen].sum(0, dtype=int)
        except (ValueError, zlib.error, TypeError, ZeroDivisionError) as error:
            raise DataError(f"the persons' figures cannot be read: {error}") from error

    labelled = unpack(packed['labelled'])
    return dict(correct=labelled - unpack(packed['wrong']), labelled=labelled)
