import csv
import io
import os
import posixpath
import re
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmpretrain.registry import DATASETS

from ..errors import ConfigError, DataError
from .celeba import CelebAIdentity, FaceRecords
from .celeba_lists import Annotations, checksum
from .image_folder import missing_from
from .issues import show
from .protocols import Parts

PARTITION = dict(train=0, val=1, test=2)
# Roots of Linux and Windows, addresses, and ways up.
LEADS_OUT = re.compile(r'^/|^[A-Za-z]:/|://|(^|/)\.\.(/|$)|\0')
# What a label may be, beside the numbers for no and unknown. Programs write 1.0 where a column has gaps.
WORDS = {'1': 1, '1.0': 1, 'true': 1, 'True': 1, 'TRUE': 1, 'false': 0, 'False': 0, 'FALSE': 0, '': -1}
# Stands for the number for unknown while a file is read.
UNKNOWN_NUMBER = 2
UNKNOWN_PEOPLE = {'', '-1', '-1.0'}


def read_table(
    path: Path,
    image_column: str,
    classes: Optional[Sequence[str]] = None,
    identity_column: Optional[str] = None,
    identity_from_folder: bool = False,
    split_column: Optional[str] = None,
    negative: int = 0,
) -> Tuple[Annotations, Tuple[str, ...], np.ndarray]:
    """Reads a CSV file in UTF-8 with a header, whose fields are separated by commas, semicolons or tabs.

    The arguments are those of :class:`AttributeCSV`.

    Returns:
        The annotations, -1 for unknown labels, identities and parts; the names of the labels; and for each image its
        line in the file, from 1.

    Raises:
        DataError: Names file, line and column, what was found and what to do.
    """
    rows = read_rows(path)
    _, header = next(rows)
    image = find_column(header, image_column, 'image_column', path)
    person = find_column(header, identity_column, 'identity_column', path)
    split = find_column(header, split_column, 'split_column', path)
    if classes:
        label_columns = [find_column(header, name, 'classes', path) for name in classes]
    else:
        label_columns = other_columns(header, (image, person, split), path)

    codes = label_codes(negative)
    lines = {}
    labels, people, partition = bytearray(), [], []
    for line, row in rows:
        name = clean_path(row[image], f"{path}, line {line}: column '{image_column}'")
        if name in lines:
            raise DataError(
                f'{path}, line {line}: {name} is listed already in line {lines[name]}; remove one of the two'
            )
        lines[name] = line
        try:
            labels.extend([codes[row[column].strip()] for column in label_columns])
        except KeyError:
            column = next(column for column in label_columns if row[column].strip() not in codes)
            hint = '' if classes else ', or name the columns of labels in classes if this is none'
            raise DataError(
                f"{path}, line {line}: column '{header[column]}' is {show(row[column].encode())}, expected 1, 0, true "
                f'or false, or for unknown -1 or nothing: correct it{hint}'
            ) from None
        people.append(
            posixpath.dirname(name) if identity_from_folder else '' if person is None else row[person].strip()
        )
        if split is not None:
            part = row[split].strip()
            if part not in PARTITION:
                raise DataError(
                    f"{path}, line {line}: column '{split_column}' is {show(part.encode())}, expected train, val or "
                    'test: correct it'
                )
            partition.append(PARTITION[part])
    if not lines:
        raise DataError(f'{path} lists no images: expected a line for each after the header')
    annotations = Annotations(
        names=np.array([name.encode() for name in lines], dtype=bytes),
        labels=decode_labels(labels, len(label_columns), negative, path),
        identity=number_people(people),
        partition=np.array(partition if split is not None else [-1] * len(lines), np.int8),
    )
    return annotations, tuple(header[column] for column in label_columns), np.array(list(lines.values()))


def read_rows(path: Path) -> Iterator[Tuple[int, List[str]]]:
    """The header and the rows of a CSV file that are not empty, each with its line, from 1.

    The header says whether commas, semicolons (as where a comma is decimal) or tabs separate the fields.
    """
    text = read_text(path)
    head = text.split('\n', 1)[0]
    delimiter = next((mark for mark in ',;\t' if mark in head), ',')
    rows = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, skipinitialspace=True, strict=True)
    header, line = None, 1
    try:
        for row in rows:
            if header is None:
                header = [name.strip() for name in row]
                check_header(header, path)
                yield line, header
            elif row:
                if len(row) != len(header):
                    raise DataError(
                        f'{path}, line {line}: expected {len(header)} fields separated by {delimiter!r}, as in the '
                        f'header, found {len(row)}: correct it, and quote a field that has {delimiter!r} in it'
                    )
                yield line, row
            # A quoted field may go over several lines.
            line = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f'{path}, line {line}: {error}: correct its quotes') from error
    if header is None:
        raise DataError(f'{path} is empty: expected a header and a line for each image')


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, with or without the mark that Excel puts first."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror}): set ann_file to the CSV file') from error
    try:
        return content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        line = content.count(b'\n', 0, error.start) + 1
        raise DataError(f"{path}, line {line}: this is not UTF-8: save the file as 'CSV UTF-8'") from error


def check_header(header: Sequence[str], path: Path) -> None:
    """Refuses columns of one name."""
    repeated = [name for name in header if name and header.count(name) > 1]
    if repeated:
        raise DataError(
            f"{path}, line 1: column '{repeated[0]}' is there {header.count(repeated[0])} times: rename or remove one"
        )


def find_column(header: Sequence[str], name: Optional[str], option: str, path: Path) -> Optional[int]:
    """Where a column is; None for None."""
    if name is None:
        return None
    if name not in header:
        raise DataError(
            f"{path}, line 1: no column '{name}', only {', '.join(header) or 'an empty line'}: set {option}"
        )
    return header.index(name)


def other_columns(header: Sequence[str], used: Sequence[Optional[int]], path: Path) -> List[int]:
    """The columns that are left for labels."""
    if '' in header:
        raise DataError(
            f'{path}, line 1: column {header.index("") + 1} of {len(header)} has no name: name it, remove it (pandas '
            'writes one without index=False), or name the columns of labels in classes'
        )
    columns = [column for column in range(len(header)) if column not in used]
    if not columns:
        raise DataError(f'{path}, line 1: no column is left for labels: add one for each label')
    return columns


def clean_path(text: str, where: str) -> str:
    """A path in the folder of images, with / between its parts; refuses one that leads out of it."""
    path = text.strip().replace('\\', '/')
    if not path or LEADS_OUT.search(path):
        raise DataError(
            f'{where} is {show(text.encode())}, expected a path in the folder of images: write it relative to '
            'data_root and data_prefix, without ..'
        )
    return posixpath.normpath(path) if './' in path or '//' in path else path


def label_codes(negative: int) -> Dict[str, int]:
    """From a field to the byte of a label."""
    if negative not in (0, -1):
        raise ConfigError(f'negative is {negative!r}, expected 0 or -1, the number that stands for no')
    codes = dict(WORDS)
    for number, label in ((negative, 0), (-1 - negative, UNKNOWN_NUMBER)):
        codes.update({f'{number}': label, f'{number}.0': label})
    return {field: label % 256 for field, label in codes.items()}


def decode_labels(labels: bytearray, num_classes: int, negative: int, path: Path) -> np.ndarray:
    """Labels ``(N, num_classes)`` from their bytes; refuses a file in which no label is no, but many seem to be."""
    labels = np.frombuffer(labels, np.int8).reshape(-1, num_classes)
    if (labels == UNKNOWN_NUMBER).any() and not (labels == 0).any():
        unknown = -1 - negative
        raise DataError(
            f'{path}: its labels are 1 and {unknown} and never {negative}: set negative={unknown} if {unknown} means '
            'no, or leave unknown labels empty'
        )
    labels[labels == UNKNOWN_NUMBER] = -1
    return labels


def number_people(people: Sequence[str]) -> np.ndarray:
    """A number for each identity, -1 for an unknown one. Whole numbers stay, other texts count as they appear."""
    known = dict.fromkeys(person for person in people if person not in UNKNOWN_PEOPLE)
    numeric = all(re.fullmatch('0|[1-9][0-9]{0,8}', person) for person in known)
    numbers = {person: int(person) if numeric else place for place, person in enumerate(known)}
    return np.array([numbers.get(person, -1) for person in people], np.int32)


@DATASETS.register_module()
class AttributeCSV(CelebAIdentity):
    """Images with labels of your own, from a CSV file with a header and a line for each image.

    A label is 1 or true, 0 or false; -1 or nothing is unknown. Other columns have the image's path and, where wanted,
    a person, or whatever else identifies (any text; -1 or nothing is unknown), and the part (train, val or test).

    Args:
        ann_file: The CSV file, in ``data_root`` unless absolute.
        data_root: The data's folder.
        data_prefix: The folder of images in ``data_root``; the paths in the file are relative to it.
        classes: The columns of labels, in the order wanted. None takes all columns that have no other use, in the
            file's order.
        image_column: The column of image paths.
        identity_column: The column of identities.
        identity_from_folder: An image's folder is its identity.
        split_column: The column of parts. Without one, and with the protocol 'official', the whole file is ``split``.
        negative: The number for no, 0 or -1; the other one is unknown.
        lazy_init: Read the file when it is first needed.
        **kwargs: ``split``, ``protocol`` and the others of :class:`CelebAIdentity`.

    Records and ``metainfo`` are those of :class:`CelebAIdentity`, with the file's ``classes``. ``identity`` is the
    file's where all identities are whole numbers, else they are numbered from 0 as they appear.

    Raises:
        DataError: The file cannot be read, an image is missing, or parts share an identity.
        ConfigError: An option does not exist or does not fit the data.
    """

    METAINFO = dict()

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        data_prefix: str = '',
        classes: Union[str, Sequence[str], None] = None,
        image_column: str = 'image',
        identity_column: Optional[str] = None,
        identity_from_folder: bool = False,
        split_column: Optional[str] = None,
        negative: int = 0,
        lazy_init: bool = False,
        **kwargs,
    ):
        if identity_column and identity_from_folder:
            raise ConfigError(f"identities are in column '{identity_column}' or folders are: set one of the two")
        self.image_column = image_column
        self.identity_column = identity_column
        self.identity_from_folder = identity_from_folder
        self.split_column = split_column
        self.negative = negative
        super().__init__(data_root=data_root, data_prefix=data_prefix, classes=classes, lazy_init=True, **kwargs)
        self.ann_file = os.path.join(self.data_root, os.path.expanduser(ann_file))
        if not lazy_init:
            self.full_init()

    def load_data_list(self) -> FaceRecords:
        path = Path(self.ann_file)
        annotations, classes, lines = read_table(
            path,
            self.image_column,
            self._metainfo.get('classes'),
            self.identity_column,
            self.identity_from_folder,
            self.split_column,
            self.negative,
        )
        self._metainfo.update(classes=classes)
        source = str(path)
        rows, gt_identity = self._select(annotations, source, source, checksum([path.read_bytes()]))
        names = annotations.names[rows]
        self._check_images(names, lines[rows])
        return FaceRecords(self.img_prefix, names, annotations.labels[rows], gt_identity, annotations.identity[rows])

    def _parts(self, annotations: Annotations) -> Parts:
        if self.protocol == 'official' and self.split_column is None:
            whole = np.full(len(annotations.names), True)
            return {'train': ~whole, self.split: whole}
        return super()._parts(annotations)

    def _check_images(self, names: np.ndarray, lines: np.ndarray) -> None:
        """Refuses a part of which an image is not on disk."""
        present = [b'']
        for folder in {os.path.dirname(name) for name in names.tolist()}:
            path = os.path.join(os.fsencode(self.img_prefix), folder) or b'.'
            if os.path.isdir(path):
                present += [os.path.join(folder, entry.name) for entry in os.scandir(path)]
        missing = missing_from(np.sort(np.array(present, dtype=bytes)), names)
        if len(missing):
            raise DataError(
                f'{self.ann_file}, line {lines[missing[0]]}: {names[missing[0]].decode()} is not in '
                f"{self.img_prefix or 'this folder'} ({len(missing)} of {len(names)} images of split '{self.split}' "
                'are not): put them there, or set data_root and data_prefix to their folder'
            )

    def get_cat_ids(self, idx: int) -> List[int]:
        """The labels that an image has, for mmengine's ``ClassBalancedDataset``."""
        return np.flatnonzero(self.get_data_info(idx)['gt_score'] == 1).tolist()

    def extra_repr(self) -> List[str]:
        return [f'Annotation file: \t{self.ann_file}', *super().extra_repr()]
