"""Reads CelebA's three lists.

Readers of single lists raise the first error or, with ``report``, pass on all issues and return the usable lines.
"""

import hashlib
from array import array
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmengine.logging import print_log

from ..attributes import ATTRIBUTES
from .issues import Issue, IssueHandler, IssueKind, _reject, quote
from .list_file import ATTRIBUTE_LIST, CSV, FOLDERS, IDENTITY_LIST, PARTITION_LIST, _add_name, _find_list, _read_lines

# One digit more than the largest number in a list.
LONGEST_NUMBER = 11
# CelebA has no label 0; while a list is read, 2 marks it.
LABELS = {b'1': 1, b'-1': 0, b'0': 2}

COUNT = IssueKind(
    'wrong number of images in line 1', 'the file is cut off or was edited; download it again or correct the number'
)
HEADER = IssueKind(
    'wrong attribute names',
    "line 2 must have CelebA's 40 attributes in their order; download the list again, or correct its columns",
)
ROW = IssueKind('lines of wrong length', 'correct the line, or download the list again')
CODING = IssueKind('labels 0 for no', 'CelebA has -1 for no; write -1 instead of 0')
LABEL = IssueKind('labels that are neither 1 nor -1', 'correct the label, or download the list again')
NUMBER = IssueKind('wrong lines in the lists of identities and splits', 'correct the line, or download the list again')
UNLISTED = IssueKind('images that another list lacks', 'take all lists from the same download')


@dataclass(frozen=True)
class Annotations:
    """CelebA's three lists, one row per image, in the order of the attribute list."""

    names: np.ndarray  # (N, ) bytes, file names
    labels: np.ndarray  # (N, 40) int8, 0 or 1
    identity: np.ndarray  # (N, ) int32, the numbers in the file, -1 unknown
    partition: np.ndarray  # (N, ) int8: 0 train, 1 val, 2 test


@dataclass(frozen=True)
class AttributeList:
    """The usable lines of the attribute list."""

    path: str
    classes: Optional[Tuple[str, ...]]  # the names of the 40 columns; None if line 2 is something else
    names: np.ndarray  # (N, ) bytes, unique
    labels: np.ndarray  # (N, 40) int8, 0 or 1; -1 for invalid labels
    lines: np.ndarray  # (N, ), from 1


@dataclass(frozen=True)
class NumberList:
    """The usable lines of a list of names and integers."""

    path: str
    names: np.ndarray  # (N, ) bytes, unique
    values: np.ndarray  # (N, ) int64
    lines: np.ndarray  # (N, ), from 1


def read_annotations(root: Union[str, Path]) -> Annotations:
    """Reads CelebA's lists as downloaded. Without the identity list, logs that all identities are unknown.

    Raises:
        DataError: Names the file and line that cannot be read, or an image that is missing from a list.
    """
    lists = [path for name in FOLDERS if (path := _find_list(root, name))]
    return _read_annotations(root, tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in lists))


@lru_cache(maxsize=1)
def _read_annotations(root: Union[str, Path], lists: tuple) -> Annotations:
    """Cached, so that the splits of a config read the lists once unless a file changes."""
    attributes, identities, partition = read_attribute_list(root), read_identity_list(root), read_partition_list(root)
    if identities is None:
        print_log(f'{root}: no {IDENTITY_LIST}, so all identities are unknown.', 'current')
        identity = np.full(len(attributes.names), -1, np.int32)
    else:
        identity = identities.values[match_rows(attributes, identities)].astype(np.int32)
    return Annotations(
        names=attributes.names,
        labels=attributes.labels,
        identity=identity,
        partition=partition.values[match_rows(attributes, partition)].astype(np.int8),
    )


def read_attribute_list(root: Union[str, Path], report: IssueHandler = _reject) -> Optional[AttributeList]:
    """Reads ``list_attr_celeba.txt``: the number of images, the attributes, then a name and 40 labels per line.

    The CSV version has no number of images, and its header also names the first column.

    Returns:
        None if the file cannot be read at all.
    """
    path, lines = _read_lines(root, ATTRIBUTE_LIST, report)
    if lines is None:
        return None
    classes, above = _read_header(path, lines, report)
    labels, line_of, issues = array('b'), {}, []
    for number, line in enumerate(lines[above:], above + 1):
        name, *values = line.split() or [b'']
        if len(values) != len(ATTRIBUTES):
            expected = f'expected a file name and {len(ATTRIBUTES)} labels'
            issues.append(Issue(ROW, path, number, f'{expected}, found {len(values)} labels in {quote(line)}'))
        elif _add_name(name, path, number, line_of, issues):
            labels.extend([LABELS.get(value, -1) for value in values])
    report(issues)
    labels = np.frombuffer(labels, np.int8).reshape(-1, len(ATTRIBUTES))
    attributes = AttributeList(path, classes, np.array([*line_of], bytes), labels, np.array([*line_of.values()], int))
    return replace(attributes, labels=_check_labels(attributes, lines, report))


def _read_header(path: str, lines: Sequence[bytes], report: IssueHandler) -> Tuple[Optional[Tuple[str, ...]], int]:
    """Returns the 40 column names, None unless they are 40 different ones, and the number of lines above the rows."""
    is_csv = path.endswith(CSV)
    announced = lines[0].strip()
    has_count = announced.isdigit() and len(announced) <= LONGEST_NUMBER
    if not has_count and not is_csv:
        report([Issue(COUNT, path, 1, f'expected the number of images, found {quote(announced)}')])
    # Without the number, line 1 may hold the attributes; without the attributes, line 2 is a row.
    above = 0 if not has_count and len(announced.split()) > 1 else 1
    header = lines[above] if above < len(lines) else b''
    # The header of a CSV file also names the column of image names.
    classes = tuple(name.decode(errors='replace') for name in header.split())[1 if is_csv else 0 :]
    if len(classes) < 2 or classes[1] in ('1', '-1', '0'):
        report([Issue(HEADER, path, above + 1, f'expected attribute names, found {quote(header)}')])
    else:
        report([Issue(HEADER, path, above + 1, found) for found in _header_differences(classes)])
        above += 1
    rows = max(len(lines) - above, 0)
    if has_count and int(announced) != rows:
        report([Issue(COUNT, path, 1, f'announces {int(announced)} images, but {rows} lines follow')])
    return (classes if len(set(classes)) == len(classes) == len(ATTRIBUTES) else None), above


def _header_differences(classes: Sequence[str]) -> List[str]:
    """Describes how names differ from CelebA's attributes: by column if there are 40, otherwise by name."""
    if len(classes) == len(ATTRIBUTES):
        return [
            f'column {column} is {found[:40]}{"" if found in ATTRIBUTES else " (no attribute of CelebA)"}, expected '
            f'{expected}'
            for column, (found, expected) in enumerate(zip(classes, ATTRIBUTES), 1)
            if found != expected
        ]
    return _name_differences(classes)


def _name_differences(classes: Sequence[str]) -> List[str]:
    """Describes which names are unknown, missing or repeated."""
    unknown = [f'{name[:40]} is no attribute of CelebA' for name in classes if name not in ATTRIBUTES]
    missing = [f'{name} is missing' for name in ATTRIBUTES if name not in classes]
    repeated = [f'{name} is there {classes.count(name)} times' for name in ATTRIBUTES if classes.count(name) > 1]
    return unknown + missing + repeated


def _check_labels(attributes: AttributeList, lines: Sequence[bytes], report: IssueHandler) -> np.ndarray:
    """Returns labels ``(N, 40)`` with -1 for invalid ones. If the list uses 0 for no, 2 becomes 0."""
    path, numbers = attributes.path, attributes.lines.tolist()
    zero = attributes.labels == 2
    is_no = zero.any() and not (attributes.labels == 0).any()
    if is_no:
        rows = zero.any(1)
        found = f'its labels are 1 and 0 in {rows.sum()} lines, never -1'
        report([Issue(CODING, path, numbers[rows.argmax()], found)])
    labels = np.where(zero, np.int8(0 if is_no else -1), attributes.labels)
    issues = []
    for row in np.flatnonzero((labels < 0).any(1)).tolist():
        column, *others = np.flatnonzero(labels[row] < 0).tolist()
        name = attributes.classes[column] if attributes.classes else f'label {column + 1}'
        value = lines[numbers[row] - 1].split()[1 + column]
        more = f', and {len(others)} more labels of this line' if others else ''
        issues.append(Issue(LABEL, path, numbers[row], f'{name} is {quote(value)}, expected 1 or -1{more}'))
    report(issues)
    return labels


def read_identity_list(root: Union[str, Path], report: IssueHandler = _reject) -> Optional[NumberList]:
    """Reads ``identity_CelebA.txt``; -1 is unknown. Returns None if it is missing or cannot be read at all."""
    return _read_number_list(root, IDENTITY_LIST, -1, 2**31 - 1, report)


def read_partition_list(root: Union[str, Path], report: IssueHandler = _reject) -> Optional[NumberList]:
    """Reads ``list_eval_partition.txt``: 0 train, 1 val, 2 test. Returns None if the file cannot be read at all."""
    return _read_number_list(root, PARTITION_LIST, 0, 2, report)


def _read_number_list(
    root: Union[str, Path], file: str, low: int, high: int, report: IssueHandler
) -> Optional[NumberList]:
    """Reads lines of a name and a number."""
    path, lines = _read_lines(root, file, report)
    if lines is None:
        return None
    values, line_of, issues = [], {}, []
    has_header = path.endswith(CSV) and not lines[0].strip()[-1:].isdigit()
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields or (has_header and number == 1):
            continue
        name, value = fields[0], fields[-1]
        is_number = value == b'-1' or (value.isdigit() and len(value) <= LONGEST_NUMBER)
        if len(fields) != 2 or not is_number or not low <= int(value) <= high:
            expected = f'expected a file name and an integer from {low} to {high}'
            issues.append(Issue(NUMBER, path, number, f'{expected}, found {quote(line)}'))
        elif _add_name(name, path, number, line_of, issues):
            values.append(int(value))
    report(issues)
    names, numbers = np.array([*line_of], bytes), np.array([*line_of.values()], int)
    return NumberList(path, names, np.array(values, np.int64), numbers)


def match_rows(attributes: AttributeList, numbers: NumberList, report: IssueHandler = _reject) -> np.ndarray:
    """Returns the row of each image of the attribute list in another list ``(N, )``, -1 if it is missing there.

    The other list may have more images.
    """
    row_of = {name: row for row, name in enumerate(numbers.names.tolist())}
    rows = np.array([row_of.get(name, -1) for name in attributes.names.tolist()], int)
    issues = []
    for row in np.flatnonzero(rows < 0):
        where = f'which {attributes.path}, line {attributes.lines[row]} lists'
        issues.append(Issue(UNLISTED, numbers.path, None, f'no line for {quote(attributes.names[row])}, {where}'))
    report(issues)
    return rows


def _checksum(lines: Iterable[bytes]) -> str:
    """SHA-256 of byte strings, one per line."""
    return hashlib.sha256(b''.join(line + b'\n' for line in lines)).hexdigest()


def _lists_checksum(root: Union[str, Path]) -> str:
    """SHA-256 of CelebA's lists."""
    return _checksum(path.read_bytes() for name in FOLDERS if (path := _find_list(root, name)))
