import logging
from functools import lru_cache
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import numpy as np
from mmengine.logging import print_log
from mmpretrain.registry import DATASETS

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError
from .celeba_lists import Annotations, _checksum, _name_differences
from .face_dataset import FaceDataset, FaceRecords
from .issues import quote
from .mat_file import _read_mat
from .protocols import OLD_PROTOCOLS, Splits, _check_disjoint, _kfold_splits, _shuffle_identities

ATTRIBUTE_FILE = 'lfw_att_40.mat'
SPLIT_FILE = 'indices_train_test.mat'
# The variables of SPLIT_FILE: indices of images, which define the halves, and of identities, which are checked.
SPLIT_FIELDS = ('indices_img_train', 'indices_img_test')
PEOPLE_FIELDS = ('indices_identity_train', 'indices_identity_test')
# One in this many identities of the training half is held out for validation.
HELD_OUT = 10
FOLDER = 'lfw'
# Width and height of the center crop in which a face is framed as in CelebA.
LFWA_CUT = (170, 208)


@DATASETS.register_module()
class LFWA(FaceDataset):
    """LFWA: LFW's faces with CelebA's 40 attributes (Liu et al. 2015), from the dataset's own files.

    ``data_root`` contains the image folder, with one folder per identity, ``lfw_att_40.mat`` and, for the two halves,
    ``indices_train_test.mat``, side by side or in ``Anno`` or ``anno``. MATLAB files of version 7.3 require h5py,
    those of version 5 require scipy.

    The training half has 6,263 images, the test half 6,880. They share no identity.

    Args:
        data_root: LFWA's folder.
        split: 'all', 'train' or 'test'; 'val' holds out a tenth of the identities of 'train' for validation, and
            'fit' has the others. The protocol 'whole' has only 'all'.
        protocol: 'halves', the dataset's own; 'whole', to test on the whole dataset as in the paper (section 4.1); or
            'kfold', cross-validation by identity. 'lfwa' is an earlier name of 'halves'.
        fold: The test fold of 'kfold', from 0. For 'halves', 1 exchanges them: train on the test half and test on the
            training half.
        num_folds: Number of folds of 'kfold'.
        seed: The seed of 'kfold'.
        min_images_per_identity: The identity loss ignores identities with fewer training images.
        data_prefix: The image folder.
        exchanged: An earlier way to write fold=1 of 'halves'.
        **kwargs: Options of mmpretrain's ``BaseDataset``. ``pipeline`` gets records ``img_path``, ``gt_score`` (L, ),
            ``gt_identity`` and ``identity``. ``classes`` selects and orders L of the 40 attributes.

    ``gt_identity`` is 0 to K - 1 in 'train', 'fit' and 'val', -1 elsewhere; ``identity`` numbers all identities in
    the order of their names. ``metainfo`` is that of :class:`FaceDataset`; K is 0 for 'all', except with
    'kfold'.

    Raises:
        DataError: A file cannot be read, an image is missing, or the halves share an image or an identity.
        ConfigError: The protocol, split or classes do not exist.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'all',
        protocol: str = 'halves',
        fold: int = 0,
        num_folds: int = 5,
        seed: int = 0,
        min_images_per_identity: int = 1,
        data_prefix: str = FOLDER,
        exchanged: bool = False,
        **kwargs,
    ):
        # A config may read it from an environment variable, which is a string.
        self.fold = int(fold)
        self.num_folds = num_folds
        self.seed = seed
        protocol = OLD_PROTOCOLS.get(protocol, protocol)
        if exchanged and protocol == 'halves':
            self.fold = 1
        super().__init__(data_root, split, protocol, min_images_per_identity, data_prefix=data_prefix, **kwargs)

    def load_data_list(self) -> FaceRecords:
        """Reads LFWA's files and finds the split's images."""
        halves = self.split != 'all' and self.protocol == 'halves'
        annotations, checksum = _read_lfwa(self.data_root, halves)
        path = _find_file(self.data_root, ATTRIBUTE_FILE)
        source = _find_file(self.data_root, SPLIT_FILE) if halves else path
        rows, gt_identity = self._select(annotations, str(source), checksum)
        names = annotations.names[rows]
        self._check_images(names, f'{path}, row', rows + 1)
        labels = self._select_attributes(annotations.labels[rows])
        return FaceRecords(self.img_prefix, names, labels, gt_identity, annotations.identity[rows])

    def _make_splits(self, annotations: Annotations, source: str) -> Splits:
        identity, partition = annotations.identity, annotations.partition
        if self.protocol == 'whole':
            return dict(all=np.full(len(identity), True))
        if self.protocol == 'halves':
            if self.fold not in (0, 1):
                raise ConfigError(
                    f"fold is {self.fold}, but protocol 'halves' has only 0, and 1, which exchanges them"
                )
            if self.split != 'all' and not (partition >= 0).any():
                raise DataError(f'{source} does not say which images are in which half: pack LFWA with {SPLIT_FILE}')
            # As without SPLIT_FILE, which is not read for it.
            halves = [(partition == half) & (self.split != 'all') for half in (0, 2)]
            splits = dict(train=halves[self.fold], test=halves[1 - self.fold])
        elif self.protocol == 'kfold':
            splits = _kfold_splits(identity, self.fold, self.num_folds, self.seed)
        else:
            raise ConfigError(f"there is no protocol '{self.protocol}' of LFWA, only 'halves', 'whole' and 'kfold'")
        self._metainfo.update(fold=self.fold)
        _check_disjoint(splits, identity, annotations.names, source)
        train = splits['train']
        val = train & np.isin(identity, _shuffle_identities(identity[train], 0)[::HELD_OUT])
        return dict(all=np.full(len(identity), True), fit=train & ~val, val=val, **splits)

    def _rule(self) -> Dict[str, int]:
        return dict(
            halves=dict(fold=self.fold), kfold=dict(fold=self.fold, num_folds=self.num_folds, seed=self.seed)
        ).get(self.protocol, {})

    def _members(self, annotations: Annotations, rows: np.ndarray) -> Dict[str, List[int]]:
        # Checkpoints of earlier versions have only the images.
        return {
            'identities of LFWA': np.unique(annotations.identity[rows]).tolist(),
            'images of LFWA': rows.tolist(),
        }


def is_lfwa(root: Union[str, Path]) -> bool:
    """Whether a folder contains LFWA's labels."""
    return any(_candidates(root, ATTRIBUTE_FILE))


def _read_lfwa(root: Union[str, Path], halves: Optional[bool] = None) -> Tuple[Annotations, str]:
    """Reads LFWA's files.

    Args:
        root: LFWA's folder.
        halves: Whether to read which images are in which half; if not, no image is in either. None reads it if the
            file is there.

    Returns:
        The annotations, with partition 0 for the training half, 2 for the test half and -1 for neither; and the
        checksum of the label file. ``identity`` numbers the identities in the order of their names.

    Raises:
        DataError: A file cannot be read.
    """
    path = _find_file(root, ATTRIBUTE_FILE)
    names, labels, checksum = _read_once(path, path.stat().st_size, path.stat().st_mtime_ns)
    folders = np.array([name.split(b'/')[0] for name in names.tolist()], dtype=bytes)
    identity = np.unique(folders, return_inverse=True)[1].astype(np.int32)
    if halves or (halves is None and _candidates(root, SPLIT_FILE)):
        partition = _read_partition(_find_file(root, SPLIT_FILE), identity)
    else:
        partition = np.full(len(names), -1, np.int8)
    return Annotations(names, labels, identity, partition), checksum


@lru_cache(maxsize=1)
def _read_once(path: Path, size: int, changed: int) -> Tuple[np.ndarray, np.ndarray, str]:
    """:func:`_read_attributes` and the file's checksum: cached for the splits of a run. Do not modify the arrays."""
    return *_read_attributes(path), _checksum([path.read_bytes()])


def _find_file(root: Union[str, Path], name: str) -> Path:
    """The path of one of LFWA's MATLAB files, beside the image folder or in an annotation folder."""
    if found := _candidates(root, name):
        return found[0]
    raise DataError(
        f'{Path(root, name)} not found, nor in Anno or anno: set the data root (LFWA_ROOT or --data-root) to the '
        'folder that holds LFWA'
    )


def _candidates(root: Union[str, Path], name: str) -> List[Path]:
    return [path for folder in ('', 'Anno', 'anno') if (path := Path(root, folder, name)).is_file()]


def _read_attributes(path: Path) -> Tuple[np.ndarray, np.ndarray]:
    """Reads ``lfw_att_40.mat``: names ``(N, )``, bytes, 'Identity/Image.jpg'; labels ``(N, 40)``, int8, 0 or 1."""
    names, attributes, labels = _read_mat(path, dict(name=list, AttrName=list, label=np.ndarray))
    # LFWA's files have spaces instead of CelebA's underscores.
    attributes = ['_'.join(attribute.split()) for attribute in attributes]
    if differences := _name_differences(attributes):
        more = f' (and {len(differences) - 1} more)' if len(differences) > 1 else ''
        raise DataError(f'{path}: AttrName differs from the 40 attributes: {differences[0]}{more}')
    if labels.shape != (len(names), len(attributes)):
        raise DataError(
            f'{path}: label is {" x ".join(map(str, labels.shape))}, expected {len(names)} x {len(attributes)}, '
            'one row for each image of name and one column for each attribute of AttrName'
        )
    wrong = np.argwhere(~np.isin(labels, (0, 1)))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f'{path}, row {row + 1}: {attributes[column]} is {labels[row, column]:g}, expected 0 or 1 ({len(wrong)} '
            'such labels)'
        )

    names = np.array([name.strip().replace('\\', '/').encode(errors='replace') for name in names], dtype=bytes)
    rows = {}
    for row, name in enumerate(names.tolist(), 1):
        folder, _, file = name.partition(b'/')
        if b'/' in file or not {b'', b'.', b'..'}.isdisjoint((folder, file)):
            raise DataError(f"{path}, row {row}: expected an identity's folder and a file in it, found {quote(name)}")
        if name in rows:
            raise DataError(f'{path}, row {row}: {quote(name)} is already listed in row {rows[name]}')
        rows[name] = row
    return names, labels[:, [attributes.index(attribute) for attribute in ATTRIBUTES]].astype(np.int8)


def _read_partition(path: Path, identity: np.ndarray) -> np.ndarray:
    """Reads ``indices_train_test.mat``: int8 ``(N, )``, 0 train, 2 test, -1 neither; ``identity`` is ``(N, )``."""
    num_images = len(identity)
    partition = np.full(num_images, -1, np.int8)
    fields = [dict.fromkeys(names, np.ndarray) for names in (SPLIT_FIELDS, PEOPLE_FIELDS)]
    *halves, train, test = _read_mat(path, *fields)
    for value, field, numbers in zip((0, 2), SPLIT_FIELDS, halves):
        wrong = numbers[~np.isin(numbers, np.arange(1, num_images + 1))]
        if len(wrong):
            raise DataError(
                f'{path}: {field} has {wrong[0]}, expected the number of one of the {num_images} images of '
                f'{ATTRIBUTE_FILE}, from 1: take both files from the same download'
            )
        rows, counts = np.unique(numbers.astype(np.int64) - 1, return_counts=True)
        if (counts > 1).any():
            number = rows[counts.argmax()] + 1
            raise DataError(f'{path}: {field} has {number} {counts.max()} times: remove all but one')
        shared = rows[partition[rows] >= 0]
        if len(shared):
            raise DataError(
                f'{path}: {shared[0] + 1} is in both {" and ".join(SPLIT_FIELDS)}, and so are {len(shared) - 1} more: '
                'the model would be tested on images it was trained on'
            )
        partition[rows] = value
    for value, field, people in zip((0, 2), PEOPLE_FIELDS, (train, test)):
        shown = len(np.unique(identity[partition == value]))
        if people is not None and len(np.unique(people)) != shown:
            line = f'{path}: {field} has {len(np.unique(people))} people, but the images of that half show {shown}'
            print_log(f'{line}: are both files from the same download? The images count.', 'current', logging.WARNING)
    return partition
