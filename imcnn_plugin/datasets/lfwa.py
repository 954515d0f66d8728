import importlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Dict, List, Sequence, Tuple, Union

import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError
from .celeba import FaceRecords, labels_of
from .celeba_lists import checksum
from .image_folder import missing_from
from .issues import show

ATTRIBUTE_FILE = 'lfw_att_40.mat'
SPLIT_FILE = 'indices_train_test.mat'
# The variable of SPLIT_FILE that lists a part's images.
PARTS = dict(train='indices_img_train', test='indices_img_test')


def find_file(root: Union[str, Path], name: str) -> Path:
    """The path of one of LFWA's MATLAB files, beside the folder of images or in one for annotations."""
    for folder in ('', 'Anno', 'anno'):
        path = Path(root, folder, name)
        if path.is_file():
            return path
    raise DataError(
        f'{Path(root, name)} not found, nor in Anno or anno: set the data root (LFWA_ROOT or --data-root) to the '
        'folder that holds LFWA'
    )


def read_mat(path: Path, fields: Sequence[str]) -> list:
    """Variables of a MATLAB file of version 5 or 7.3.

    Returns:
        For each field, a list of str where it holds text, else an array in MATLAB's own shape.

    Raises:
        DataError: The file is of neither version, is damaged or lacks a field, or the package to read it is missing.
    """
    with path.open('rb') as file:
        head = file.read(80)
    reader, package = next((found for magic, found in READERS.items() if head.startswith(magic)), (None, None))
    if reader is None:
        raise DataError(
            f'{path}: expected a MATLAB file of version 5 or 7.3, found one that begins with {show(head)}: is this '
            'the file as downloaded?'
        )
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise DataError(f"{path} cannot be read ({error}): pip install 'imcnn_plugin[analysis]'") from error
    try:
        # In a process of its own, as there are damaged files at which scipy and HDF5 end theirs.
        with ProcessPoolExecutor(1, multiprocessing.get_context('fork')) as pool:
            found = pool.submit(reader, path, list(fields)).result()
    # What a damaged file raises is up to h5py and scipy, and is of many types.
    except Exception as error:
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise DataError(f'{path} cannot be read ({reason}): download it again') from error
    missing = [field for field in fields if field not in found]
    if missing:
        raise DataError(f"{path} has no variable '{missing[0]}': is this LFWA's {path.name}?")
    return [found[field] for field in fields]


def read_v5(path: Path, fields: Sequence[str]) -> dict:
    """Version 5: a cell of text is an array of arrays of one string each, a matrix of characters one of strings."""
    from scipy.io import loadmat

    found = loadmat(path, variable_names=list(fields))
    return {
        field: [unnested(cell) for cell in value.ravel()] if value.dtype.kind in 'OU' else value
        for field, value in found.items()
        if field in fields
    }


def unnested(cell: Union[np.ndarray, str]) -> str:
    """The string in arrays of size one, '' where there is none."""
    while isinstance(cell, np.ndarray) and cell.size == 1:
        cell = cell.flat[0]
    return str(cell) if isinstance(cell, str) else ''


def read_v73(path: Path, fields: Sequence[str]) -> dict:
    """Version 7.3, which is HDF5: arrays are transposed, and a cell of text refers to arrays of character codes."""
    import h5py

    found = {}
    with h5py.File(path, 'r') as file:
        for field in fields:
            if field not in file:
                continue
            value = file[field][()]
            if h5py.check_ref_dtype(file[field].dtype):
                codes = [np.ravel(file[reference][()]) for reference in value.ravel()]
                found[field] = [text.astype('<u2').tobytes().decode('utf-16-le', 'replace') for text in codes]
            else:
                found[field] = value.T
    return found


# Kinds of arrays of numbers.
NUMBERS = 'biuf'

# By a file's first bytes. Version 7.3 puts MATLAB's own header before HDF5's, which other programs leave out.
READERS = {
    b'MATLAB 5.0': (read_v5, 'scipy.io'),
    b'MATLAB 7.3': (read_v73, 'h5py'),
    b'\x89HDF\r\n\x1a\n': (read_v73, 'h5py'),
}


def quoted(text: str) -> str:
    return show(text.encode(errors='replace'))


def read_attributes(path: Path) -> Tuple[np.ndarray, np.ndarray]:
    """Reads ``lfw_att_40.mat``.

    Returns:
        Names ``(N, )``, bytes, ``Person/Image.jpg``; labels ``(N, 40)``, int8, 0 or 1, in the order of ``ATTRIBUTES``.

    Raises:
        DataError: Names the variable and the row, counted from 1, that cannot be used.
    """
    names, attributes, labels = read_mat(path, ('name', 'AttrName', 'label'))
    if not isinstance(names, list) or not isinstance(attributes, list):
        raise DataError(f'{path}: expected name and AttrName to be cells of text, found numbers')
    # LFWA's files have blanks where CelebA's have underscores.
    attributes = ['_'.join(attribute.split()) for attribute in attributes]
    unknown = [attribute for attribute in attributes if attribute not in ATTRIBUTES]
    if unknown:
        raise DataError(
            f'{path}: AttrName has {quoted(unknown[0])}, which is none of the 40 attributes ({len(unknown)} such '
            'names)'
        )
    odd = [attribute for attribute in ATTRIBUTES if attributes.count(attribute) != 1]
    if odd:
        raise DataError(
            f'{path}: AttrName has {odd[0]} {attributes.count(odd[0])} times, expected each attribute once'
        )
    if isinstance(labels, list) or labels.dtype.kind not in NUMBERS:
        raise DataError(f'{path}: expected label to be numbers, found something else')
    if np.shape(labels) != (len(names), len(attributes)):
        raise DataError(
            f'{path}: label is {" x ".join(map(str, np.shape(labels)))}, expected {len(names)} x {len(attributes)}, '
            'one row for each image of name and one column for each attribute of AttrName'
        )
    wrong = np.argwhere(~np.isin(labels, (0, 1)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f'{path}, row {row + 1}: {attributes[column]} is {labels[row, column]:g}, expected 0 or 1 ({len(wrong)} '
            'such labels)'
        )

    names = [name.strip().replace('\\', '/') for name in names]
    for row, name in enumerate(names):
        parts = name.split('/')
        if len(parts) != 2 or not {'', '.', '..'}.isdisjoint(parts):
            raise DataError(
                f"{path}, row {row + 1}: expected a person's folder and a file in it, found {quoted(name)}"
            )
    names = np.array([name.encode(errors='replace') for name in names], dtype=bytes)
    repeats = np.setdiff1d(np.arange(len(names)), np.unique(names, return_index=True)[1])
    if len(repeats):
        name = names[repeats[0]]
        raise DataError(
            f'{path}, row {repeats[0] + 1}: {show(name)} is listed already in row {np.argmax(names == name) + 1}'
        )
    return names, labels[:, [attributes.index(attribute) for attribute in ATTRIBUTES]].astype(np.int8)


def read_parts(path: Path, num_images: int) -> Dict[str, np.ndarray]:
    """Reads ``indices_train_test.mat``.

    Returns:
        For 'train' and 'test' a mask ``(num_images, )`` of the part's images.

    Raises:
        DataError: A part lists what is no image, or an image is listed twice.
    """
    parts = {}
    for (split, field), numbers in zip(PARTS.items(), read_mat(path, PARTS.values())):
        if isinstance(numbers, list) or numbers.dtype.kind not in NUMBERS:
            raise DataError(f'{path}: expected {field} to be numbers, found something else')
        numbers = np.ravel(numbers)
        wrong = numbers[~np.isin(numbers, np.arange(1, num_images + 1))]
        if len(wrong):
            raise DataError(
                f'{path}: {field} has {wrong[0]}, expected the number of one of the {num_images} images of '
                f'{ATTRIBUTE_FILE}, from 1 on: take both files from the same download'
            )
        count = np.bincount(numbers.astype(np.int64) - 1, minlength=num_images)
        if (count > 1).any():
            raise DataError(f'{path}: {field} has {count.argmax() + 1} {count.max()} times: remove all but one')
        parts[split] = count > 0
    shared = np.flatnonzero(parts['train'] & parts['test'])
    if len(shared):
        raise DataError(
            f'{path}: {shared[0] + 1} is in both {PARTS["train"]} and {PARTS["test"]}, and so are {len(shared) - 1} '
            'more: a model would be tested on images it was trained on'
        )
    return parts


@DATASETS.register_module()
class LFWA(BaseDataset):
    """LFWA: LFW's faces with CelebA's 40 attributes (Liu et al. 2015), from the data set's own files.

    ``data_root`` holds the folder of images, in which each person has a folder, and ``lfw_att_40.mat`` and, for the
    two parts, ``indices_train_test.mat``, side by side or in ``Anno`` or ``anno``. MATLAB's version 7.3 needs h5py,
    version 5 needs scipy.

    The parts are lists of images, 6,263 and 6,880, which nothing here compares by person: somebody of the training
    part may be in the test part as well, and that is not refused.

    Args:
        data_root: LFWA's folder.
        split: 'all' for the whole set, as in the paper (section 4.1), 'train' or 'test'.
        min_images_per_identity: A person with fewer training images is unknown to the identity loss.
        data_prefix: The folder of images.
        pipeline: Transforms of a record ``img_path``, ``gt_score`` (L, ), ``gt_identity``, ``identity``.
        **kwargs: Of mmpretrain's ``BaseDataset``. ``classes`` are the attributes wanted, in their order, L of the 40.

    Its ``metainfo`` has ``classes``, ``num_identities`` (K, of the training part; 0 for 'all', which knows of none),
    ``protocol`` ('lfwa'), ``split``, and ``checksums``. ``gt_identity`` is 0 to K - 1 for persons of 'train', -1
    elsewhere; ``identity`` numbers all persons of the list, in the order of their names.

    Raises:
        DataError: A file cannot be read, an image is missing, or an image is in both parts.
        ConfigError: The split or the classes do not exist.
    """

    METAINFO = dict(classes=ATTRIBUTES)

    def __init__(
        self,
        data_root: str,
        split: str = 'all',
        min_images_per_identity: int = 1,
        data_prefix: str = 'lfw',
        pipeline=(),
        **kwargs,
    ):
        if split not in ('all', *PARTS):
            raise ConfigError(f"LFWA has no split '{split}', only 'all', 'train' and 'test'")
        self.split = split
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
        path = find_file(self.data_root, ATTRIBUTE_FILE)
        names, labels = read_attributes(path)
        people = np.array([name.split(b'/')[0] for name in names.tolist()], dtype=bytes)
        identity = np.unique(people, return_inverse=True)[1].astype(np.int32)

        parts = dict(all=np.full(len(names), True), train=np.full(len(names), False))
        if self.split != 'all':
            path_of_split = find_file(self.data_root, SPLIT_FILE)
            parts.update(read_parts(path_of_split, len(names)))
        rows = np.flatnonzero(parts[self.split])
        if not len(rows):
            raise DataError(f"{path if self.split == 'all' else path_of_split}: no image is in split '{self.split}'")

        _, person, counts = np.unique(identity[parts['train']], return_inverse=True, return_counts=True)
        is_known = counts >= self.min_images_per_identity
        gt_identity = np.full(len(rows), -1, np.int32)
        if self.split == 'train':
            gt_identity = np.where(is_known, np.cumsum(is_known) - 1, -1).astype(np.int32)[person]

        self._check_images(names[rows], people[rows], rows, path)
        self._metainfo.update(
            num_identities=int(is_known.sum()),
            protocol='lfwa',
            split=self.split,
            checksums=dict(annotations=checksum([path.read_bytes()]), images=checksum(names[rows].tolist())),
        )
        labels = labels_of(self._metainfo['classes'], labels[rows])
        return FaceRecords(self.img_prefix, names[rows], labels, gt_identity, identity[rows])

    def _check_images(self, names: np.ndarray, people: np.ndarray, rows: np.ndarray, path: Path) -> None:
        """Refuses a part of which an image is not on disk."""
        folder = self.img_prefix
        if not os.path.isdir(folder):
            raise DataError(f'{folder} not found: unpack the images there, or name their folder in data_prefix')
        present = [b'']
        for person in np.unique(people).tolist():
            person_folder = os.path.join(os.fsencode(folder), person)
            if os.path.isdir(person_folder):
                present += [person + b'/' + entry.name for entry in os.scandir(person_folder)]
        missing = missing_from(np.sort(np.array(present, dtype=bytes)), names)
        if len(missing):
            raise DataError(
                f'{path}, row {rows[missing[0]] + 1}: {names[missing[0]].decode()} is not in {folder} ({len(missing)} '
                f"of {len(names)} images of split '{self.split}' are not): unpack the images again"
            )

    def extra_repr(self) -> List[str]:
        return [f'Protocol: \tlfwa, split {self.split}', f'Data root: \t{self.data_root}']
