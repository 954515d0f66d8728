"""Reads a CSV file or a list of labels, the annotation file of :class:`~imcnn_plugin.datasets.AttributeCSV`."""

import posixpath
import re
from array import array
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.logging import print_log

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError
from ..files import read_csv, read_text
from .celeba_lists import Annotations
from .issues import quote

PARTITION = {None: -1, 'train': 0, 'val': 1, 'test': 2, '0': 0, '1': 1, '2': 2}
SPLIT_VALUES = 'train, val or test, or 0, 1 or 2'
# Absolute paths of Linux and Windows, URLs, and parent folders.
OUTSIDE = re.compile(r'^/|^[A-Za-z]:/|://|(^|/)\.\.(/|$)|\0')
# What programs write into empty fields.
NOTHING = ('', 'nan', 'NaN', 'None', 'null', 'NULL')
# Labels other than the numbers for no and unknown. Programs write 1.0 if a column has gaps.
WORDS = {'1': 1, '1.0': 1, 'true': 1, 'True': 1, 'TRUE': 1, 'false': 0, 'False': 0, 'FALSE': 0}
WORDS.update(dict.fromkeys(NOTHING, -1))
# Marks the number that means unknown while a file is read.
UNKNOWN_NUMBER = 2


def _read_table(
    path: Path,
    classes: Optional[Sequence[str]],
    image_column: str,
    identity_column: Optional[str],
    identity_from_folder: bool,
    split_column: Optional[str],
    split_file: Optional[str],
    negative: Optional[int],
) -> Tuple[Annotations, Tuple[str, ...], np.ndarray]:
    """Reads a CSV file with a header and one line per image, or a list whose fields are separated by spaces.

    The arguments are those of :class:`AttributeCSV`. Returns the annotations, with -1 for unknown labels,
    identities and splits; the names of the labels; and the line of each image in the file, from 1.
    """
    rows = _read_rows(path, image_column, classes)
    _, header = next(rows)
    image = _find_column(header, image_column, 'image_column', path)
    identity = _find_column(header, identity_column, 'identity_column', path)
    split = _find_column(header, split_column, 'split_column', path)
    if classes:
        label_columns = [_find_column(header, name, 'classes', path) for name in classes]
    else:
        label_columns = _remaining_columns(header, (image, identity, split), path)

    codes = _label_codes(negative)
    splits = _read_splits(Path(split_file)) if split_file else {}
    lines = {}
    labels, identities, partition = array('b'), [], []
    for line, row in rows:
        name = _clean_path(row[image], f"{path}, line {line}: column '{image_column}'")
        if name in lines:
            raise DataError(
                f'{path}, line {line}: {name} is already listed in line {lines[name]}; remove one of the two'
            )
        lines[name] = line
        try:
            labels.extend([codes[row[column].strip()] for column in label_columns])
        except KeyError:
            column = next(column for column in label_columns if row[column].strip() not in codes)
            hint = '' if classes else ', or list the label columns in classes if this is not one'
            raise DataError(
                f"{path}, line {line}: column '{header[column]}' is {quote(row[column])}, expected 1, 0, true or "
                f'false, or for unknown -1 or nothing: correct it{hint}'
            ) from None
        if identity_from_folder:
            identities.append(posixpath.dirname(name))
        else:
            identities.append('' if identity is None else row[identity].strip())
        value = None if split is None else row[split].strip()
        if value not in PARTITION:
            raise DataError(
                f"{path}, line {line}: column '{split_column}' is {quote(value)}, expected {SPLIT_VALUES}: correct it"
            )
        if split_file and name not in splits:
            raise DataError(f'{path}, line {line}: {name} is not in {split_file}: add it there, or remove it here')
        partition.append(splits.get(name, PARTITION[value]))
    if not lines:
        raise DataError(f'{path} lists no images: expected a line for each after the header')
    annotations = Annotations(
        names=np.array([name.encode() for name in lines], dtype=bytes),
        labels=_decode_labels(labels, [header[column] for column in label_columns], negative, path),
        identity=_number_identities(identities),
        partition=np.array(partition, np.int8),
    )
    return annotations, tuple(header[column] for column in label_columns), np.array(list(lines.values()))


def _read_rows(path: Path, image_column: str, classes: Optional[Sequence[str]]) -> Iterator[Tuple[int, List[str]]]:
    """Yields the header and rows of a CSV file or, if line 1 has no comma, semicolon or tab, of a list with spaces.

    Like CelebA's list, it may begin with the number of images and a line of label names. If there are no names, the
    labels are CelebA's 40 attributes if there are 40 of them, otherwise ``classes``.
    """
    advice = 'set ann_file to the CSV file'
    text = read_text(path, advice)
    if not text.strip() or any(mark in text.partition('\n')[0] for mark in ',;\t'):
        yield from read_csv(path, advice)
        return
    rows = [(number, fields) for number, line in enumerate(text.split('\n'), 1) if (fields := line.split())]
    line, first = rows.pop(0)
    header = first
    if len(first) == 1 and first[0].isdigit() and rows:
        line, names = rows.pop(0)
        header = [image_column, *names]
        if int(first[0]) != len(rows):
            raise DataError(
                f'{path}, line 1: announces {first[0]} images, but {len(rows)} lines follow: correct the number, or '
                'restore the lines'
            )
    elif len(first) > 1 and all(re.fullmatch('-?1|0', field) for field in first[1:]):
        names = ATTRIBUTES if len(first) == 1 + len(ATTRIBUTES) else classes
        if not names:
            raise DataError(f'{path}, line {line}: no line above the labels names them: list them in classes')
        header = [image_column, *names]
        rows.insert(0, (line, first))
    yield line, header
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f'{path}, line {line}: expected a file name and {len(header) - 1} labels, found {len(row)} fields: '
                'correct it, or separate all fields by commas'
            )
        yield line, row


def _read_splits(path: Path) -> Dict[str, int]:
    """Reads the split of each image from a list or a CSV file, with or without a header."""
    lines = read_text(path, 'set split_file to the list of splits').split('\n')
    mark = next((mark for mark in ',;\t' if mark in lines[0]), None)
    splits = {}
    for number, line in enumerate(lines, 1):
        fields = [field.strip(' "') for field in line.rsplit(mark, 1)]
        if len(fields) == 2 and fields[1] in PARTITION:
            name = _clean_path(fields[0], f'{path}, line {number}: the image')
            if splits.setdefault(name, PARTITION[fields[1]]) != PARTITION[fields[1]]:
                raise DataError(
                    f'{path}, line {number}: {name} was in another split before; remove one of the two lines'
                )
        elif line.strip() and number > 1:
            raise DataError(f'{path}, line {number}: expected an image and {SPLIT_VALUES}, found {quote(line)}')
    return splits


def _find_column(header: Sequence[str], name: Optional[str], option: str, path: Path) -> Optional[int]:
    """The index of a column; None if ``name`` is None."""
    if name is None:
        return None
    if name not in header:
        raise DataError(
            f"{path}, line 1: no column '{name}', only {', '.join(header) or 'an empty line'}: set {option}"
        )
    return header.index(name)


def _remaining_columns(header: Sequence[str], used: Sequence[Optional[int]], path: Path) -> List[int]:
    """The columns that have no other use and so hold labels."""
    if '' in header:
        raise DataError(
            f'{path}, line 1: column {header.index("") + 1} of {len(header)} has no name: name it, remove it (pandas '
            'writes one without index=False), or list the label columns in classes'
        )
    columns = [column for column in range(len(header)) if column not in used]
    if not columns:
        raise DataError(f'{path}, line 1: no column remains for labels: add one for each label')
    return columns


def _clean_path(text: str, where: str) -> str:
    """Returns a path in the image folder, separated by /; raises DataError if it leads out of the folder."""
    path = text.strip().replace('\\', '/')
    if not path or OUTSIDE.search(path):
        raise DataError(
            f'{where} is {quote(text)}, expected a path in the image folder: write it relative to data_root and '
            'data_prefix, without ..'
        )
    return posixpath.normpath(path) if './' in path or '//' in path else path


def _label_codes(negative: Optional[int]) -> Dict[str, int]:
    """The label of each valid field."""
    if negative not in (None, 0, -1):
        raise ConfigError(f'negative is {negative!r}, expected 0 or -1, the number that stands for no')
    no = negative or 0
    codes = {str(no): 0, str(-1 - no): UNKNOWN_NUMBER}
    return {**WORDS, **codes, **{f'{number}.0': label for number, label in codes.items()}}


def _decode_labels(labels: array, classes: Sequence[str], negative: Optional[int], path: Path) -> np.ndarray:
    """Labels ``(N, L)``. Without ``negative``, -1 means unknown in columns with 0, and no in those without.

    Raises DataError if -1 seems to have both meanings, or if no label means no.
    """
    labels = np.frombuffer(labels, np.int8).reshape(-1, len(classes))
    in_doubt = labels == UNKNOWN_NUMBER
    has_no = (labels == 0).any(0)
    signed = in_doubt.any(0) & ~has_no & (labels == 1).any(0)
    if negative is not None:
        if in_doubt.any() and not has_no.any():
            unknown = -1 - negative
            raise DataError(
                f'{path}: its labels are 1 and {unknown} and never {negative}: set negative={unknown} if {unknown} '
                'means no, or leave unknown labels empty'
            )
    elif signed.any():
        one = f"column '{classes[signed.argmax()]}' is 1 or -1 and never 0"
        if (both := in_doubt.any(0) & has_no).any():
            raise DataError(
                f"{path}: {one}, but column '{classes[both.argmax()]}' has 0 and -1: write 0 for no in the first, or "
                'set negative=0 if -1 is unknown in both'
            )
        more = f' (and {signed.sum() - 1} more columns)' if signed.sum() > 1 else ''
        print_log(f'{path}: {one}{more}, so -1 means no there: leave unknown labels empty.', 'current')
        labels = np.where(in_doubt & ~has_no, np.int8(0), labels)
    return np.where(labels == UNKNOWN_NUMBER, np.int8(-1), labels)


def _number_identities(identities: Sequence[str]) -> np.ndarray:
    """An integer for each identity, -1 if unknown. Integers are kept; others are numbered as they appear."""
    # Programs write 12.0 for 12 if a column has gaps.
    identities = [re.sub(r'^(-?[0-9]+)\.0+$', r'\1', identity) for identity in identities]
    known = dict.fromkeys(identity for identity in identities if identity not in ('-1', *NOTHING))
    numeric = all(re.fullmatch('0|[1-9][0-9]{0,8}', identity) for identity in known)
    numbers = {identity: int(identity) if numeric else index for index, identity in enumerate(known)}
    return np.array([numbers.get(identity, -1) for identity in identities], np.int32)
