import os
from collections import abc
from pathlib import Path
from typing import List, Sequence, Tuple, Union

import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError
from .celeba_lists import (
    ATTRIBUTE_LIST,
    PARTITION_LIST,
    Annotations,
    checksum,
    find_list,
    lists_checksum,
    read_annotations,
)
from .image_folder import find_images, missing_images
from .issues import refuse
from .protocols import check_disjoint, kfold_parts, official_parts, paper_parts


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
            img_path=os.path.join(self.folder, os.fsdecode(self.names[index])),
            gt_score=self.gt_score[index],
            gt_identity=int(self.gt_identity[index]),
            identity=int(self.identity[index]),
        )

    def take(self, rows: Union[slice, np.ndarray]) -> 'FaceRecords':
        fields = (self.names, self.gt_score, self.gt_identity, self.identity)
        return FaceRecords(self.folder, *(field[rows] for field in fields))


def labels_of(classes: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """The columns ``(N, L)`` of L of CelebA's attributes, in the order wanted, of all labels ``(N, 40)``.

    Raises:
        ConfigError: One is none of CelebA's, or is wanted twice.
    """
    if wrong := [name for name in classes if name not in ATTRIBUTES or list(classes).count(name) > 1]:
        raise ConfigError(f'classes of the data set name no attributes of CelebA, or some twice: {wrong}')
    return labels[:, [ATTRIBUTES.index(name) for name in classes]]


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
        pipeline: Transforms of a record ``img_path``, ``gt_score`` (L, ), ``gt_identity``, ``identity``.
        **kwargs: Of mmpretrain's ``BaseDataset``. ``classes`` are the attributes wanted, in their order, L of the 40.

    Its ``metainfo`` has ``classes``, ``num_identities`` (K, of the training part), ``protocol``, ``split``, and
    ``checksums`` of the lists and of the part's list of images.
    ``gt_identity`` is 0 to K - 1 for identities of the training part, -1 for others; ``identity`` is CelebA's number.

    Raises:
        DataError: A file cannot be read, an image is missing, or parts share an identity.
        ConfigError: The protocol, split or classes do not exist or do not fit the data.
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
        labels = labels_of(self._metainfo['classes'], annotations.labels[rows])
        return FaceRecords(folder, names, labels, gt_identity, annotations.identity[rows])

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
        # A folder elsewhere is kept as it is: from a data_root that is a link, .. leads to another place.
        inside = Path(self.img_prefix).is_relative_to(self.data_root)
        prefix = os.path.relpath(self.img_prefix, self.data_root) if inside else os.path.abspath(self.img_prefix)
        folder, names, missing = find_images(self.data_root, prefix, all_names[rows])
        path = str(find_list(self.data_root, ATTRIBUTE_LIST))
        refuse(missing_images(path, rows[missing] + 3, folder, names[missing]))
        return folder, names

    def extra_repr(self) -> List[str]:
        return [f'Protocol: \t{self.protocol}, split {self.split}', f'Data root: \t{self.data_root}']
