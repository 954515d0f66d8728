"""Tables of results that grow during a run, and from which an interrupted run resumes."""

import csv
import hashlib
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, TextIO, Tuple

import torch

from ..errors import ConfigError, DataError
from ..files import lock, replacing, sync, writable
from .inferencer import FaceAttributeInferencer

_DOCUMENT, _TABLES = 'predictions.json', ('predictions.csv', 'probabilities.csv')
_END = b'\n]}\n'


class _ResultTables:
    """``predictions.json``, and tables of the labels and of the probabilities in it.

    The document has a header, and a line for each photo or video. A result and a new end overwrite the old end, so the
    document is valid after each result. Only the document determines what is done, since it has everything: a resumed
    run writes all three files again up to that point, under other names, and appends to them. The folder is locked.

    Args:
        folder: The folder of the files; it is created if necessary.
        header: Header of the document. Its ``attributes`` and ``settings``, a dict, must match those of existing
            results.
        kind: Key of the results in the document.
        columns: Columns of the tables before the attributes.
        to_rows: Maps a result to its rows in the tables, and attributes by name, each a dict with ``label`` and
            ``probability``.
        overwrite: Start again instead of resuming.

    Raises:
        ConfigError: The folder has other results, or another process writes to it.
        DataError: A file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        header: dict,
        kind: str,
        columns: Sequence[str],
        to_rows: Callable[[dict], Iterator[Tuple[dict, dict]]],
        overwrite: bool,
    ):
        self.folder, self.path, self.to_rows, self.overwrite = folder, folder / _DOCUMENT, to_rows, overwrite
        self.header = json.loads(json.dumps(header))
        self.kind, self.columns = kind, columns
        self.labels = _label_columns(header['attributes'], columns)

    def __enter__(self) -> '_ResultTables':
        for name in (*_TABLES, _DOCUMENT):
            writable(self.folder / name)
        with ExitStack() as stack:
            # The file of an earlier run stays open and locked when another file takes its name.
            held = stack.enter_context(open(self.path, 'ab'))
            self._lock(held)
            if not self.overwrite:
                self._check_header()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: Optional[type], *_) -> None:
        try:
            self._stack.close()
            if kind is None:
                for name in (*_TABLES, _DOCUMENT):
                    sync(self.folder / name)
        except OSError as error:
            # Closing a file tries again to write the rest.
            if kind is None:
                raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f'the tables in {self.folder} cannot be written ({error.strerror}): the same command goes on with them'
        )

    def _lock(self, file) -> None:
        lock(file, f'another process writes its results to {self.folder}: wait for it, or give another folder')

    def _check_header(self) -> None:
        advice = 'give another folder, or start again with overwrite=True (--overwrite)'
        with open(self.path, 'rb') as file:
            line = file.readline()
        if not line:
            if any((self.folder / name).is_file() for name in _TABLES):
                raise ConfigError(f'{self.folder} has tables without {_DOCUMENT}: {advice}')
            return
        try:
            found = json.loads(line.rstrip() + b']}')
            before = found['settings'] | dict(attributes=found['attributes'])
        except (ValueError, KeyError, TypeError):
            raise ConfigError(f'{self.path} is not of this version of the program: {advice}') from None
        now = self.header['settings'] | dict(attributes=self.header['attributes'])
        different = [
            f'{key} {_shown(before.get(key))} there and {_shown(now.get(key))} now'
            for key in before | now
            if before.get(key) != now.get(key)
        ]
        if different:
            raise ConfigError(f'{self.folder} has results with other settings ({"; ".join(different)}): {advice}')

    def read(self) -> Iterator[dict]:
        """Yields the results from before :meth:`start`, except a truncated last one; nothing with ``overwrite``."""
        if self.overwrite:
            return
        with open(self.path, 'rb') as file:
            file.readline()
            for line in file:
                try:
                    result = json.loads(line.rstrip(b',\n'))
                except ValueError:
                    return
                yield result

    def start(self, results: Iterable[dict]) -> None:
        """Begins new files with these results, and replaces the existing files by them."""
        with ExitStack() as replaced:
            # The document is opened last, so it is the first to get its name: there are no tables without it.
            *tables, document = (replaced.enter_context(replacing(self.folder / n)) for n in (*_TABLES, _DOCUMENT))
            # A file name that is not text is written with escaped bytes.
            options = dict(newline='', encoding='utf-8', errors='backslashreplace')
            self._files = [self._stack.enter_context(open(path, 'w', **options)) for path in tables]
            # The buffer has room for a line, so that lines are rarely truncated.
            self._document = self._stack.enter_context(open(document, 'wb', buffering=2**20))
            self._lock(self._document)
            self._files.append(self._document)
            self._writers = _open_writers(self._files[:2], self.columns, self.labels)
            start = json.dumps(self.header)[:-1].encode() + f', "{self.kind}": ['.encode()
            self._document.write(start + _END)
            self._end, self._separator = len(start), b'\n'
            for result in results:
                self._add(result)
            # A full disk raises here.
            for file in self._files:
                file.flush()

    def write(self, result: dict) -> None:
        """Adds a result.

        Raises:
            DataError: The disk is full, or a file cannot be written for another reason.
        """
        try:
            self._add(result)
            for file in self._files:
                file.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def _add(self, result: dict) -> None:
        result = _rounded(result)
        _write_rows(self._writers, self.to_rows(result), self.labels)
        line = self._separator + json.dumps(result).encode()
        self._document.seek(self._end)
        self._document.write(line + _END)
        self._end += len(line)
        self._separator = b',\n'


def _label_columns(attributes: Sequence[str], columns: Sequence[str]) -> Dict[str, str]:
    """The columns of attributes in a table. One named like another column gets the suffix ``_label``."""
    found = {}
    for name in attributes:
        column = name
        while column in {*columns, *found.values()}:
            column += '_label'
        found[name] = column
    return found


def _open_writers(files: Sequence[TextIO], columns: Sequence[str], labels: Dict[str, str]) -> List[csv.DictWriter]:
    """Writers of the tables of labels and of probabilities, after writing their headers."""
    writers = [csv.DictWriter(file, [*columns, *labels.values()]) for file in files]
    for writer in writers:
        writer.writeheader()
    return writers


def _write_rows(writers: Sequence[csv.DictWriter], rows: Iterable[Tuple[dict, dict]], labels: Dict[str, str]) -> None:
    """Writes rows and their attributes to the tables of labels and of probabilities."""
    for row, attributes in rows:
        for writer, key in zip(writers, ('label', 'probability')):
            writer.writerow(row | {labels[name]: _cell(values[key]) for name, values in attributes.items()})


def _settings(inferencer: FaceAttributeInferencer, **options) -> dict:
    """What results depend on, for the header: weights, calibration and options."""
    calibration = torch.stack([inferencer.head.thresholds, inferencer.head.temperature]).cpu().numpy().tobytes()
    return dict(
        weights=inferencer.trained.checksum,
        calibration=hashlib.sha256(calibration).hexdigest()[:16],
        precision=inferencer.precision,
        consistent=inferencer.consistent,
        **options,
    )


def _numbered(folder: Path, number: int, path: str, suffix: str) -> Path:
    """The path of a drawing of a photo or video, from its number in the tables and its own path."""
    # A name has at most 255 bytes, including a temporary suffix .tmp.
    stem = os.fsdecode(os.fsencode(Path(path).stem)[:200])
    return folder / f'{number:06}_{stem}{suffix}'


def _remove_numbered(folder: Path, kept: int) -> None:
    """Removes the drawings of an earlier run in a folder of tables, except those of the first photos or videos."""
    for pattern in ('drawn/*.jpg', 'drawn/*.mp4', 'curves/*.png'):
        for path in folder.glob(pattern):
            number = path.name.partition('_')[0]
            if len(number) >= 6 and number.isdecimal() and int(number) > kept:
                path.unlink()


def _cell(value):
    return int(value) if isinstance(value, bool) else value


def _shown(value) -> str:
    """A setting in a message; lists of attributes are long."""
    return f'{len(value)} names' if isinstance(value, list) else repr(value)


def _rounded(value):
    """Rounds the numbers in nested dicts and lists to four decimals; a probability stays on its threshold's side."""
    if isinstance(value, dict):
        rounded = {key: _rounded(item) for key, item in value.items()}
        if {'probability', 'threshold'} <= value.keys():
            reached, threshold = value['probability'] >= value['threshold'], rounded['threshold']
            if reached != (rounded['probability'] >= threshold):
                rounded['probability'] = threshold if reached else max(0.0, round(threshold - 1e-4, 4))
        return rounded
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
