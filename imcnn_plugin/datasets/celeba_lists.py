"""Reads CelebA's three lists. Each reader refuses the first error, or reports all and gives what can be used."""

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..attributes import ATTRIBUTES
from .field_parser import TextFields
from .file_signatures import foreign_file
from .issues import Kind, Problem, Report, refuse, show

ATTRIBUTE_LIST = 'list_attr_celeba.txt'
IDENTITY_LIST = 'identity_CelebA.txt'
PARTITION_LIST = 'list_eval_partition.txt'
# The folders of CelebA's own download, beside the flat layout.
FOLDERS = {ATTRIBUTE_LIST: 'Anno', IDENTITY_LIST: 'Anno', PARTITION_LIST: 'Eval'}
# What file systems allow for a name, in bytes.
LONGEST_NAME = 255
# One digit more than the largest number that a list may have.
LONGEST_NUMBER = 11

NO_LIST = Kind(
    'lists that are missing',
    'set the data root (CELEBA_ROOT or --data-root) to the folder that holds CelebA, or download the list',
)
NOT_TEXT = Kind('lists that are no plain text', 'download the list again, or save it as UTF-8')
COUNT = Kind(
    'wrong number of images in line 1',
    'the file is cut off or was edited; download it again or correct the number',
)
HEADER = Kind(
    'wrong attribute names',
    "line 2 must have CelebA's 40 attributes in their order; download the list again, or put its columns right",
)
ROW = Kind('lines of wrong length', 'correct the line, or download the list again')
CODING = Kind('labels 0 for no', 'CelebA has -1 for no; write -1 in place of 0')
LABEL = Kind('labels that are neither 1 nor -1', 'correct the label, or download the list again')
NUMBER = Kind('wrong lines in the lists of identities and parts', 'correct the line, or download the list again')
NAME = Kind(
    'file names that leave the folder of images',
    'an image is a file in the folder of images; write its name alone, without a folder',
)
DUPLICATE = Kind('images that a list has twice', 'remove one of the two lines')
UNLISTED = Kind('images that another list leaves out', 'take all lists from the same download')


@dataclass(frozen=True)
class Annotations:
    """CelebA's three lists, one row an image, in the order of the attribute list."""

    names: np.ndarray  # (N, ) bytes, file names
    labels: np.ndarray  # (N, 40) int8, 0 or 1
    identity: np.ndarray  # (N, ) int32, the file's own numbers, -1 unknown
    partition: np.ndarray  # (N, ) int8: 0 train, 1 val, 2 test


@dataclass(frozen=True)
class AttributeList:
    """The lines of the attribute list that can be used."""

    path: str
    classes: Optional[Tuple[str, ...]]  # the 40 names of its columns; None if that is not what line 2 has
    names: np.ndarray  # (N, ) bytes, each once
    labels: np.ndarray  # (N, 40) int8, 0 or 1; -1 for what is neither 1 nor -1 in the file
    lines: np.ndarray  # (N, ), from 1


@dataclass(frozen=True)
class NumberList:
    """The lines of a list of names and whole numbers that can be used."""

    path: str
    names: np.ndarray  # (N, ) bytes, each once
    values: np.ndarray  # (N, ) int64
    lines: np.ndarray  # (N, ), from 1


def read_annotations(root: Union[str, Path]) -> Annotations:
    """Reads CelebA's own files as downloaded.

    Raises:
        DataError: Names the file and line that cannot be read, or the image that a list leaves out.
    """
    attributes, identities, partition = read_attributes(root), read_identities(root), read_partition(root)
    return Annotations(
        names=attributes.names,
        labels=attributes.labels,
        identity=identities.values[find_rows(attributes, identities)].astype(np.int32),
        partition=partition.values[find_rows(attributes, partition)].astype(np.int8),
    )


def find_list(root: Union[str, Path], name: str, report: Report = refuse) -> Optional[Path]:
    """The path of one of CelebA's lists, in the flat layout or in that of the download."""
    candidates = [Path(root, name), Path(root, FOLDERS[name], name)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        report([Problem(NO_LIST, str(candidates[0]), None, f'not found, nor {candidates[1]}')])
    return path


def read_fields(root: Union[str, Path], name: str, report: Report) -> Optional[Tuple[str, TextFields]]:
    """The path and the fields of one of CelebA's lists; None if it is not there or is another kind of file."""
    path = find_list(root, name, report)
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        report([Problem(NO_LIST, str(path), None, f'cannot be read ({error.strerror})')])
        return None
    if foreign := foreign_file(content):
        kind, found = foreign
        report([Problem(kind, str(path), None, f'is {found}, not a list')])
        return None
    if b'\0' in content:
        report([Problem(NOT_TEXT, str(path), None, 'has bytes of zero, as text in UTF-16 or a damaged file has')])
        return None
    # Windows puts a mark before a text in UTF-8.
    return str(path), TextFields(content.removeprefix(codecs.BOM_UTF8))


def read_attributes(root: Union[str, Path], report: Report = refuse) -> Optional[AttributeList]:
    """Reads ``list_attr_celeba.txt``: a number of images, the attributes, then a name and 40 labels a line.

    None if it cannot be read at all.
    """
    opened = read_fields(root, ATTRIBUTE_LIST, report)
    if opened is None:
        return None
    path, text = opened
    classes, above = read_head(text, path, report)
    counts = text.counts
    rows = np.arange(len(text)) >= above
    whole = rows & (counts == 1 + len(ATTRIBUTES))
    report(
        [
            Problem(
                ROW,
                path,
                row + 1,
                f'expected a file name and {len(ATTRIBUTES)} labels, found {max(counts[row] - 1, 0)} labels in '
                f'{show(text.line(row))}',
            )
            for row in np.flatnonzero(rows & ~whole).tolist()
        ]
    )
    lines = np.flatnonzero(whole) + 1
    labels = read_labels(text, whole, classes, path, report)
    names = text.texts(text.first[:-1][whole], LONGEST_NAME + 1)
    usable = check_names(names, lines, path, report)
    return AttributeList(path, classes, names[usable], labels[usable], lines[usable])


def read_head(text: TextFields, path: str, report: Report) -> Tuple[Optional[Tuple[str, ...]], int]:
    """The 40 names of the columns, None if they are not 40 different ones; and the number of lines above the rows."""
    announced = text.line(0).strip()
    has_count = announced.isdigit() and len(announced) <= LONGEST_NUMBER
    if not has_count:
        report([Problem(COUNT, path, 1, f'expected the number of images, found {show(announced)}')])
    # Without the number the attributes may come first; and without the attributes, rows.
    above = 0 if not has_count and len(announced.split()) > 1 else 1
    header = text.line(above).split()
    if len(header) < 2 or header[1] in (b'1', b'-1', b'0'):
        report([Problem(HEADER, path, above + 1, f'expected attribute names, found {show(text.line(above))}')])
        classes = None
    else:
        classes = tuple(name.decode(errors='replace') for name in header)
        report([Problem(HEADER, path, above + 1, found) for found in differences(classes)])
        above += 1
    if has_count and int(announced) != len(text) - above:
        rows = max(len(text) - above, 0)
        report([Problem(COUNT, path, 1, f'announces {int(announced)} images, but {rows} lines follow')])
    return (classes if classes and len(set(classes)) == len(classes) == len(ATTRIBUTES) else None), above


def differences(classes: Sequence[str]) -> List[str]:
    """How names differ from CelebA's attributes: column by column, or in what is too much or missing."""
    if len(classes) == len(ATTRIBUTES):
        return [
            f'column {column} is {found[:40]}{"" if found in ATTRIBUTES else " (no attribute of CelebA)"}, expected '
            f'{expected}'
            for column, (found, expected) in enumerate(zip(classes, ATTRIBUTES), 1)
            if found != expected
        ]
    unknown = [f'{name[:40]} is no attribute of CelebA' for name in classes if name not in ATTRIBUTES]
    missing = [f'{name} is missing' for name in ATTRIBUTES if name not in classes]
    repeated = [f'{name} is there {classes.count(name)} times' for name in ATTRIBUTES if classes.count(name) > 1]
    return unknown + missing + repeated


def read_labels(
    text: TextFields, whole: np.ndarray, classes: Optional[Sequence[str]], path: str, report: Report
) -> np.ndarray:
    """Labels ``(N, 40)``, int8: 1, 0, or -1 for what is no label, of the lines in the mask ``whole``."""
    mask = np.repeat(whole, text.counts)
    start, end = (place[mask].reshape(-1, 1 + len(ATTRIBUTES))[:, 1:] for place in (text.start, text.end))
    length, last = end - start, text.data[end - 1]
    labels = np.full(start.shape, -1, np.int8)
    labels[(length == 1) & (last == ord('1'))] = 1
    labels[(length == 2) & (last == ord('1')) & (text.data[start] == ord('-'))] = 0
    if labels.min(initial=0) == 0:
        return labels

    lines = np.flatnonzero(whole) + 1
    zero = (length == 1) & (last == ord('0'))
    if zero.any() and not (labels == 0).any():
        rows = zero.any(1)
        report(
            [
                Problem(
                    CODING, path, int(lines[rows.argmax()]), f'its labels are 1 and 0 in {rows.sum()} lines, never -1'
                )
            ]
        )
        labels[zero] = 0
    wrong = labels < 0
    problems = []
    for row in np.flatnonzero(wrong.any(1)).tolist():
        columns = np.flatnonzero(wrong[row])
        column = int(columns[0])
        name = classes[column] if classes else f'label {column + 1}'
        value = text.data[start[row, column] : end[row, column]].tobytes()
        more = f', and {len(columns) - 1} more labels of this line' if len(columns) > 1 else ''
        problems.append(Problem(LABEL, path, int(lines[row]), f'{name} is {show(value)}, expected 1 or -1{more}'))
    report(problems)
    return labels


def read_identities(root: Union[str, Path], report: Report = refuse) -> Optional[NumberList]:
    """Reads ``identity_CelebA.txt``; -1 is unknown."""
    return read_numbers(root, IDENTITY_LIST, -1, 2**31 - 1, report)


def read_partition(root: Union[str, Path], report: Report = refuse) -> Optional[NumberList]:
    """Reads ``list_eval_partition.txt``: 0 train, 1 val, 2 test."""
    return read_numbers(root, PARTITION_LIST, 0, 2, report)


def read_numbers(root: Union[str, Path], name: str, low: int, high: int, report: Report) -> Optional[NumberList]:
    """Reads a list of lines ``name number``; None if it cannot be read at all."""
    opened = read_fields(root, name, report)
    if opened is None:
        return None
    path, text = opened
    counts = text.counts
    rows = np.flatnonzero(counts == 2)
    fields = text.first[rows] + 1
    numbers = text.texts(fields, LONGEST_NUMBER)
    whole = np.strings.isdigit(numbers) | (numbers == b'-1')
    whole &= text.end[fields] - text.start[fields] <= LONGEST_NUMBER
    values = np.full(len(rows), low - 1, np.int64)
    values[whole] = numbers[whole].astype(np.int64)
    in_range = (values >= low) & (values <= high)
    wrong = np.sort(np.append(np.flatnonzero((counts != 2) & (counts != 0)), rows[~in_range]))
    report(
        [
            Problem(
                NUMBER,
                path,
                row + 1,
                f'expected a file name and a whole number from {low} to {high}, found {show(text.line(row))}',
            )
            for row in wrong.tolist()
        ]
    )
    rows, values = rows[in_range], values[in_range]
    names = text.texts(text.first[rows], LONGEST_NAME + 1)
    usable = check_names(names, rows + 1, path, report)
    return NumberList(path, names[usable], values[usable], rows[usable] + 1)


def check_names(names: np.ndarray, lines: np.ndarray, path: str, report: Report) -> np.ndarray:
    """Which names ``(N, )`` can be used: those of files in a folder, each the first time."""
    leaves = np.isin(names, [b'.', b'..']) | (np.strings.str_len(names) > LONGEST_NAME)
    for mark in (b'/', b'\\'):
        leaves |= np.strings.find(names, mark) >= 0
    report(
        [
            Problem(NAME, path, int(lines[row]), f'expected the name of a file, found {show(names[row])}')
            for row in np.flatnonzero(leaves)
        ]
    )
    _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
    first = first[inverse]
    repeats = first != np.arange(len(names))
    report(
        [
            Problem(
                DUPLICATE, path, int(lines[row]), f'{show(names[row])} is listed already in line {lines[first[row]]}'
            )
            for row in np.flatnonzero(repeats)
        ]
    )
    return ~leaves & ~repeats


def find_rows(attributes: AttributeList, numbers: NumberList, report: Report = refuse) -> np.ndarray:
    """For each image of the attribute list its row in another list ``(N, )``, -1 if it has none there.

    Lines for other images are allowed.
    """
    if np.array_equal(numbers.names, attributes.names):
        return np.arange(len(numbers.names))
    order = np.argsort(numbers.names)
    place = np.searchsorted(numbers.names, attributes.names, sorter=order)
    # Behind the last name there is no row.
    rows = np.append(order, -1)[place]
    found = rows >= 0
    found[found] = numbers.names[rows[found]] == attributes.names[found]
    report(
        [
            Problem(
                UNLISTED,
                numbers.path,
                None,
                f'no line for {show(attributes.names[row])}, which {attributes.path}, line {attributes.lines[row]} '
                'lists',
            )
            for row in np.flatnonzero(~found)
        ]
    )
    return np.where(found, rows, -1)


def checksum(parts: Iterable[bytes]) -> str:
    """SHA-256 of several byte strings, one a line."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b'\n')
    return digest.hexdigest()


def lists_checksum(root: Union[str, Path]) -> str:
    """SHA-256 of CelebA's three lists."""
    return checksum(find_list(root, name).read_bytes() for name in FOLDERS)
