import hashlib
import os
from collections import abc
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Tuple, Union

import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError
from .protocols import check_disjoint, kfold_parts, official_parts, paper_parts

ATTRIBUTE_LIST = 'list_attr_celeba.txt'
IDENTITY_LIST = 'identity_CelebA.txt'
PARTITION_LIST = 'list_eval_partition.txt'
# The folders of CelebA's own download, beside the flat layout.
FOLDERS = {ATTRIBUTE_LIST: 'Anno', IDENTITY_LIST: 'Anno', PARTITION_LIST: 'Eval'}
TOKENS = {b'1', b'-1'}


@dataclass(frozen=True)
class Annotations:
    """CelebA's three lists, one row an image, in the order of the attribute list."""

    names: np.ndarray  # (N, ) bytes, file names
    labels: np.ndarray  # (N, 40) int8, 0 or 1
    identity: np.ndarray  # (N, ) int32, the file's own numbers, -1 unknown
    partition: np.ndarray  # (N, ) int8: 0 train, 1 val, 2 test


def find_list(root: Union[str, Path], name: str) -> Path:
    """The path of one of CelebA's lists, in the flat layout or in that of the download."""
    candidates = [Path(root, name), Path(root, FOLDERS[name], name)]
    for path in candidates:
        if path.is_file():
            return path
    raise DataError(
        f'{candidates[0]} not found, nor {candidates[1]}: set the data root (CELEBA_ROOT or --data-root) to '
        'the folder that holds CelebA'
    )


def read_annotations(root: Union[str, Path]) -> Annotations:
    """Reads CelebA's own files as downloaded.

    Raises:
        DataError: Names the file and line that cannot be read, or the image that a list leaves out.
    """
    path = find_list(root, ATTRIBUTE_LIST)
    names, labels = read_attributes(path)
    return Annotations(
        names=names,
        labels=labels,
        identity=look_up(names, find_list(root, IDENTITY_LIST), path, low=-1, high=2**31 - 1).astype(np.int32),
        partition=look_up(names, find_list(root, PARTITION_LIST), path, low=0, high=2).astype(np.int8),
    )


def read_attributes(path: Path) -> Tuple[np.ndarray, np.ndarray]:
    """Names and labels of ``list_attr_celeba.txt``: a count, the attributes, then a name and 40 labels a line."""
    lines = path.read_bytes().splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) < 2 or not lines[0].strip().isdigit():
        raise DataError(
            f'{path}, line 1: expected the number of images, found {show(lines[0] if lines else b"")}: is '
            'this the list as downloaded?'
        )
    header = tuple(lines[1].decode(errors='replace').split())
    if header != ATTRIBUTES:
        found, expected = next(
            ((a, b) for a, b in zip(header + ('nothing',), ATTRIBUTES) if a != b),
            (len(header), f'{len(ATTRIBUTES)} names'),
        )
        raise DataError(
            f"{path}, line 2: expected CelebA's 40 attribute names in their order, found {found} in place "
            f'of {expected}'
        )
    if len(lines) - 2 != int(lines[0]):
        raise DataError(
            f'{path}, line 1: announces {int(lines[0])} images, but {len(lines) - 2} lines follow: the file '
            'is cut off or was edited; download it again or correct the number'
        )

    names = []
    labels = np.empty((len(lines) - 2, len(ATTRIBUTES)), np.int8)
    for row, line in enumerate(lines[2:]):
        name, *tokens = line.split() or [b'']
        if len(tokens) != len(ATTRIBUTES):
            raise DataError(f'{path}, line {row + 3}: expected a file name and 40 labels, found {show(line)}')
        if not TOKENS.issuperset(tokens):
            column, token = next((i, token) for i, token in enumerate(tokens) if token not in TOKENS)
            raise DataError(f'{path}, line {row + 3}: {ATTRIBUTES[column]} is {show(token)}, expected 1 or -1')
        names.append(name)
        # Joined, a row of '1' and '-1' is one byte a label once '-1' is '0'.
        labels[row] = np.frombuffer(b''.join(tokens).replace(b'-1', b'0'), np.int8)
    labels -= ord('0')
    names = np.array(names, dtype=bytes)
    check_unique(names, path, first_line=3)
    return names, labels


def look_up(names: np.ndarray, path: Path, names_path: Path, low: int, high: int) -> np.ndarray:
    """For each name, its number in a list of lines ``name number``.

    Lines for other names are allowed.
    """
    listed, values = [], []
    for row, line in enumerate(path.read_bytes().splitlines()):
        fields = line.split()
        if not fields:
            continue
        try:
            name, value = fields[0], int(fields[1])
        except (IndexError, ValueError):
            value = None
        if value is None or len(fields) != 2 or not low <= value <= high:
            raise DataError(
                f'{path}, line {row + 1}: expected a file name and a whole number from {low} to {high}, '
                f'found {show(line)}'
            )
        listed.append(name)
        values.append(value)
    listed, values = np.array(listed, dtype=bytes), np.array(values, dtype=np.int64)
    if np.array_equal(listed, names):
        return values
    check_unique(listed, path, first_line=1)
    order = np.argsort(listed)
    place = np.searchsorted(listed, names, sorter=order).clip(max=len(listed) - 1)
    missing = np.flatnonzero(listed[order[place]] != names) if len(listed) else np.arange(len(names))
    if len(missing):
        raise DataError(
            f'{path}: no line for {show(names[missing[0]])}, which {names_path}, line {missing[0] + 3} lists '
            f'({len(missing)} such images): take both files from the same download'
        )
    return values[order[place]]


def check_unique(names: np.ndarray, path: Path, first_line: int) -> None:
    order = np.argsort(names, kind='stable')
    repeats = np.flatnonzero(names[order[1:]] == names[order[:-1]])
    if len(repeats):
        first, second = order[repeats[0]], order[repeats[0] + 1]
        raise DataError(
            f'{path}, line {second + first_line}: {show(names[second])} is listed already in line '
            f'{first + first_line}; remove one of the two'
        )


def checksum(parts: Iterable[bytes]) -> str:
    """SHA-256 of several byte strings, one a line."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part + b'\n')
    return digest.hexdigest()


def lists_checksum(root: Union[str, Path]) -> str:
    """SHA-256 of CelebA's three lists."""
    return checksum(find_list(root, name).read_bytes() for name in FOLDERS)


def show(text: bytes) -> str:
    """Bytes of a file, safe and short enough for a message."""
    text = text.strip()
    return repr((text[:40] + b'...' if len(text) > 40 else text).decode(errors='replace'))


class FaceRecords(abc.Sequence):
    """One record an image, made when asked for; kept as arrays, which workers share and which take 60 bytes an image.

    Args:
        folder: Where the images are.
        names: File names ``(N, )``.
        gt_score: Labels ``(N, L)``, int8: 1, 0, or -1 for unknown.
        gt_identity: Labels ``(N, )`` of the training identities, -1 for all others.
        identity: The data set's own numbers ``(N, )``, -1 for unknown.
    """

    def __init__(
        self, folder: str, names: np.ndarray, gt_score: np.ndarray, gt_identity: np.ndarray, identity: np.ndarray
    ):
        self.folder = folder
        self.names = names
        self.gt_score = gt_score
        self.gt_identity = gt_identity
        self.identity = identity

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Union[int, slice]) -> Union[dict, 'FaceRecords']:
        if isinstance(index, slice):
            return self.take(index)
        return dict(
            img_path=os.path.join(self.folder, self.names[index].decode()),
            gt_score=self.gt_score[index],
            gt_identity=int(self.gt_identity[index]),
            identity=int(self.identity[index]),
        )

    def take(self, rows: Union[slice, np.ndarray]) -> 'FaceRecords':
        fields = (self.names, self.gt_score, self.gt_identity, self.identity)
        return FaceRecords(self.folder, *(field[rows] for field in fields))


@DATASETS.register_module()
class CelebAIdentity(BaseDataset):
    """CelebA with its 40 attributes and its identities, from the data set's own files.

    ``data_root`` holds ``list_attr_celeba.txt``, ``identity_CelebA.txt``, ``list_eval_partition.txt`` and the folder
    of images, all side by side or in the download's ``Anno``, ``Eval`` and ``Img``. Images may be .jpg or .png.

    Args:
        data_root: CelebA's folder.
        split: 'train', 'val', 'test' or 'trainval' of ``protocol='official'``, else 'train' or 'test'.
        protocol: 'official', 'paper' or 'kfold', see :mod:`imcnn_plugin.datasets.protocols`.
        fold: The tested fold of 'kfold', from 0.
        num_folds: Number of folds of 'kfold'.
        num_train_identities: Number of training identities of 'paper'.
        seed: Seeds 'paper' and 'kfold'.
        min_images_per_identity: An identity with fewer training images is unknown to the identity loss.
        data_prefix: The folder of images.
        pipeline: Transforms of a record ``img_path``, ``gt_score`` (40, ), ``gt_identity``, ``identity``.
        **kwargs: Of mmpretrain's ``BaseDataset``.

    Its ``metainfo`` has ``classes``, ``num_identities`` (K, of the training part), ``protocol``, ``split``, and
    ``checksums`` of the lists and of the part's list of images.
    ``gt_identity`` is 0 to K - 1 for identities of the training part, -1 for others; ``identity`` is CelebA's number.

    Raises:
        DataError: A file cannot be read, an image is missing, or parts share an identity.
        ConfigError: The protocol or split does not exist or does not fit the data.
    """

    METAINFO = dict(classes=ATTRIBUTES)

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        protocol: str = 'official',
        fold: int = 0,
        num_folds: int = 5,
        num_train_identities: int = 8000,
        seed: int = 0,
        min_images_per_identity: int = 1,
        data_prefix: str = 'img_align_celeba',
        pipeline=(),
        **kwargs,
    ):
        self.split = split
        self.protocol = protocol
        # An environment variable in a config is text.
        self.fold = int(fold)
        self.num_folds = num_folds
        self.num_train_identities = num_train_identities
        self.seed = seed
        self.min_images_per_identity = min_images_per_identity
        super().__init__(
            ann_file='',
            data_root=data_root,
            data_prefix=data_prefix,
            pipeline=pipeline,
            # The records are arrays, which need no serialising to be shared.
            serialize_data=False,
            **kwargs,
        )

    def load_data_list(self) -> FaceRecords:
        annotations = read_annotations(self.data_root)
        attributes, partition = (str(find_list(self.data_root, name)) for name in (ATTRIBUTE_LIST, PARTITION_LIST))
        rows, gt_identity = self._select(annotations, attributes, partition, lists_checksum(self.data_root))
        folder, names = self._find_images(annotations.names, rows)
        return FaceRecords(folder, names, annotations.labels[rows], gt_identity, annotations.identity[rows])

    def _select(
        self,
        annotations: Annotations,
        images_source: str,
        parts_source: str,
        annotations_checksum: str,
        usable: Union[np.ndarray, bool] = True,
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Selects the part's images, and says in ``metainfo`` what it is.

        Args:
            annotations: Of all N images.
            images_source: The file that lists the images, for messages.
            parts_source: The file that sets the parts, for messages.
            annotations_checksum: For ``metainfo``.
            usable: Mask ``(N, )`` of the images that may be selected. Parts and identities are those of all N.

        Returns:
            Rows of the n selected images ``(n, )`` and their ``gt_identity`` ``(n, )``.
        """
        identity = annotations.identity
        parts = self._parts(annotations)
        if self.split not in parts:
            raise ConfigError(f"protocol '{self.protocol}' has no split '{self.split}', only {sorted(parts)}")
        check_disjoint(parts, identity, annotations.names, parts_source)

        # The part that is trained on sets the labels, so that every part of a protocol agrees on them.
        train = parts['trainval' if self.split == 'trainval' else 'train'] & (identity >= 0)
        known, counts = np.unique(identity[train], return_counts=True)
        known = known[counts >= self.min_images_per_identity]
        gt_identity = np.full(len(identity), -1, np.int32)
        is_known = np.isin(identity, known)
        gt_identity[is_known] = np.searchsorted(known, identity[is_known])

        rows = np.flatnonzero(parts[self.split] & usable)
        if not len(rows):
            raise DataError(f"{images_source}: no image is in split '{self.split}' of protocol '{self.protocol}'")
        self._metainfo.update(
            num_identities=len(known),
            protocol=self.protocol,
            split=self.split,
            checksums=dict(annotations=annotations_checksum, images=checksum(annotations.names[rows].tolist())),
        )
        if self.protocol == 'kfold':
            self._metainfo.update(fold=self.fold)
        return rows, gt_identity[rows]

    def _parts(self, annotations: Annotations) -> dict:
        if self.protocol == 'official':
            return official_parts(annotations.partition)
        if self.protocol == 'paper':
            return paper_parts(annotations.identity, self.num_train_identities, self.seed)
        if self.protocol == 'kfold':
            return kfold_parts(annotations.identity, self.fold, self.num_folds, self.seed)
        raise ConfigError(f"there is no protocol '{self.protocol}', only 'official', 'paper' and 'kfold'")

    def _find_images(self, all_names: np.ndarray, rows: np.ndarray) -> Tuple[str, np.ndarray]:
        """The folder of images and the names in it of the part's images."""
        prefix = os.path.relpath(self.img_prefix, self.data_root)
        folder, names, missing = find_images(self.data_root, prefix, all_names[rows])
        if len(missing):
            raise DataError(
                f'{find_list(self.data_root, ATTRIBUTE_LIST)}, line {rows[missing[0]] + 3}: '
                f'{names[missing[0]].decode()} is not in {folder} ({len(missing)} of {len(names)} images '
                f"of split '{self.split}' are not): unpack the images again"
            )
        return folder, names

    def extra_repr(self) -> List[str]:
        return [f'Protocol: \t{self.protocol}, split {self.split}', f'Data root: \t{self.data_root}']


def find_images(data_root: Union[str, Path], prefix: str, names: np.ndarray) -> Tuple[str, np.ndarray, np.ndarray]:
    """The folder of images, the names in it, .png where CelebA's lossless version was downloaded, and what is missing.

    Args:
        data_root: CelebA's folder.
        prefix: The folder of images in it, or in its ``Img``.
        names: Names ``(N, )`` of the lists.

    Returns:
        The folder; the names ``(N, )`` in it; indices of those that are not there.

    Raises:
        DataError: There is no such folder.
    """
    folders = [os.path.join(data_root, sub, prefix + suffix) for sub in ('', 'Img') for suffix in ('', '_png')]
    folder = next((folder for folder in folders if os.path.isdir(folder)), None)
    if folder is None:
        raise DataError(
            f'{folders[0]} not found, nor {prefix} in Img: unpack the images there, or name their '
            'folder in data_prefix'
        )
    present = np.sort(np.array([entry.name.encode() for entry in os.scandir(folder)] or [b''], dtype=bytes))
    missing = missing_from(present, names)
    if len(missing) == len(names):
        png = np.array([name.rsplit(b'.', 1)[0] + b'.png' for name in names.tolist()], dtype=bytes)
        missing_png = missing_from(present, png)
        if len(missing_png) < len(names):
            return folder, png, missing_png
    return folder, names, missing


def missing_from(present: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Indices of the names that are not in the sorted array ``present``."""
    place = np.searchsorted(present, names).clip(max=len(present) - 1)
    return np.flatnonzero(present[place] != names)
