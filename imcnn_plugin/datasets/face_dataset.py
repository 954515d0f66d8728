import os
from collections import abc
from dataclasses import dataclass, fields, replace
from typing import Dict, List, Sequence, Tuple, Union

import cv2
import numpy as np
from mmpretrain.datasets import BaseDataset

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError, one_line
from ..files import read_text
from .celeba_lists import Annotations, _checksum
from .image_folder import _find_missing
from .protocols import Splits


@dataclass(eq=False, repr=False)
class FaceRecords(abc.Sequence):
    """The records of N images as arrays, which workers share; an image takes 60 bytes."""

    folder: str  # of the images
    names: np.ndarray  # (N, ) bytes, paths in the folder
    gt_score: np.ndarray  # (N, L) int8: 1, 0, or -1 for unknown
    gt_identity: np.ndarray  # (N, ) labels of the training identities, -1 for all others
    identity: np.ndarray  # (N, ) the dataset's numbers, -1 for unknown

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
        """Returns the records of some rows."""
        names = [field.name for field in fields(self) if field.name != 'folder']
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


class FaceDataset(BaseDataset):
    """Base class of the datasets: one split of N images with attributes and identities.

    Args:
        data_root: The dataset's folder.
        split: The name of the split.
        protocol: The name of the rule that divides the images into splits.
        min_images_per_identity: The identity loss ignores identities with fewer training images.
        ann_file: The annotation file, if any.
        with_label: Whether to use the labels. If not, all are unknown, -1, so that only predictions of a teacher
            train on the images (:class:`~imcnn_plugin.engine.DistillationPreprocessor`).
        **kwargs: Options of mmpretrain's ``BaseDataset`` except ``filter_cfg``. ``serialize_data`` has no effect.

    ``metainfo`` has ``classes``, ``num_identities`` (K, of the training split), ``protocol``, ``split``, and
    ``checksums`` of the annotations and of the split's list of images. ``split_identity`` describes the split for
    :func:`~imcnn_plugin.datasets.identify_split`.
    """

    METAINFO = dict(classes=ATTRIBUTES)
    HAS_ANN_FILE = False

    def __init__(
        self,
        data_root: str,
        split: str,
        protocol: str,
        min_images_per_identity: int,
        ann_file: str = '',
        with_label: bool = True,
        **kwargs,
    ):
        self.split = split
        self.with_label = with_label
        self.protocol = protocol
        self.min_images_per_identity = min_images_per_identity
        if ann_file and not self.HAS_ANN_FILE:
            raise ConfigError(
                f'ann_file is {ann_file}, but {type(self).__name__} reads the files in data_root: remove it, or use '
                'AttributeCSV'
            )
        if min_images_per_identity < 0:
            raise ConfigError(f'min_images_per_identity is {min_images_per_identity}: it must be at least 0')
        if kwargs.get('filter_cfg'):
            raise ConfigError(
                f'filter_cfg is {kwargs["filter_cfg"]}, but nothing is filtered: choose images by indices'
            )
        prefix = kwargs.get('data_prefix', '')
        if not isinstance(prefix, str) and 'img_path' not in (prefix or ()):
            raise ConfigError(
                f"data_prefix is {prefix!r}, expected the image folder or dict(img_path='the image folder')"
            )
        if isinstance(kwargs.get('classes'), str):
            kwargs['classes'] = [line for line in read_text(os.path.expanduser(kwargs['classes'])).split('\n') if line]
        if kwargs.get('classes') is not None and not kwargs['classes']:
            raise ConfigError('classes is empty: name the labels, or remove the option')
        self.has_own_classes = bool(kwargs.get('classes') or (kwargs.get('metainfo') or {}).get('classes'))
        # None in a config is no pipeline, as for packs.
        kwargs['pipeline'] = kwargs.get('pipeline') or ()
        # The records are arrays, which workers share without serialization.
        kwargs['serialize_data'] = False
        super().__init__(ann_file=ann_file, data_root=os.path.expanduser(data_root), **kwargs)

    def full_init(self) -> None:
        """Reads the records, and with ``indices`` keeps some of them."""
        if self._fully_initialized:
            return
        super().full_init()
        if self._indices is not None:
            self._metainfo['checksums']['images'] = _checksum(self.data_list.names.tolist())

    def _make_splits(self, annotations: Annotations, source: str) -> Splits:
        """Masks ``(N, )`` by split, including 'train'. ``source`` is the file that defines them, for messages."""
        raise NotImplementedError

    def _select(
        self, annotations: Annotations, source: str, checksum: str, usable: Union[np.ndarray, bool] = True
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Rows of the split's images ``(n, )`` and their ``gt_identity`` ``(n, )``; describes them in ``metainfo``.

        ``source`` is the file that defines the splits, ``checksum`` is that of the annotations. ``usable`` is a mask
        ``(N, )`` of the images that may be selected; the identities are those of all N images.
        """
        names, identity = annotations.names, annotations.identity
        splits = self._make_splits(annotations, source)
        if self.split not in splits:
            raise ConfigError(f"protocol '{self.protocol}' has no split '{self.split}', only {sorted(splits)}")
        rows = np.flatnonzero(splits[self.split] & usable)
        if not len(rows):
            raise DataError(f"{source}: no image is in split '{self.split}' of protocol '{self.protocol}'")
        # Every split of a protocol labels identities by their index in the training split.
        train = splits.get('trainval' if self.split == 'trainval' else 'train', False) & (identity >= 0)
        known, counts = np.unique(identity[train], return_counts=True)
        known = known[counts >= self.min_images_per_identity]
        is_known = train & np.isin(identity, known)
        gt_identity = np.where(is_known, np.searchsorted(known, identity), -1).astype(np.int32)
        self._metainfo.update(
            num_identities=len(known),
            protocol=self.protocol,
            split=self.split,
            checksums=dict(annotations=checksum, images=_checksum(names[rows].tolist())),
        )
        self.split_identity = dict(
            protocol=self.protocol,
            split=self.split,
            lists=checksum,
            **self._rule(),
            members=self._members(annotations, rows),
        )
        return rows, gt_identity[rows]

    def _rule(self) -> Dict[str, int]:
        """The settings of the protocol that decide which identities are in a split."""
        return {}

    def _members(self, annotations: Annotations, rows: np.ndarray) -> Dict[str, List[int]]:
        """What the images in some rows ``(n, )`` must not share with a training split: lists of numbers by name.

        The same number under the same name means the same identity (or image), even in another dataset.
        """
        return {}

    def _select_attributes(self, labels: np.ndarray) -> np.ndarray:
        """The columns of ``classes`` ``(N, L)`` of CelebA's 40 attributes ``(N, 40)``."""
        classes = list(self._metainfo['classes'])
        if wrong := [name for name in classes if name not in ATTRIBUTES or classes.count(name) > 1]:
            raise ConfigError(f'classes names attributes that are not CelebA attributes, or repeats them: {wrong}')
        return labels[:, [ATTRIBUTES.index(name) for name in classes]]

    def filter_data(self) -> FaceRecords:
        """The records, without labels unless ``with_label``. mmengine calls it when it has loaded them."""
        if self.with_label:
            return self.data_list
        return replace(self.data_list, gt_score=np.full_like(self.data_list.gt_score, -1))

    def take_classes(self, classes: Sequence[str]) -> None:
        """Selects these labels in this order, unless the dataset was given ``classes`` or lacks one of them."""
        own = list(self.metainfo['classes'])
        if not self.has_own_classes and list(classes) != own and set(classes) <= set(own):
            self.data_list.gt_score = self.data_list.gt_score[:, [own.index(name) for name in classes]]
            self._metainfo['classes'] = tuple(classes)

    def _check_images(self, names: np.ndarray, source: str, numbers: np.ndarray) -> None:
        """Raises DataError if one of the images ``(n, )`` is missing: '``source`` ``numbers[i]``: ...'."""
        folder = os.path.abspath(self.img_prefix)
        if not os.path.isdir(folder):
            raise DataError(f'{folder} not found: unpack the images there, or set data_prefix to their folder')
        missing = _find_missing(folder, names)
        if len(missing):
            name = names[missing[0]].decode(errors='replace')
            raise DataError(
                f'{source} {numbers[missing[0]]}: {name} is not in {folder} ({len(missing)} of {len(names)} images of '
                f"split '{self.split}' are not): put them there, or set data_root and "
                'data_prefix to their folder'
            )

    def _get_unserialized_subset(self, indices: Union[int, Sequence[int]]) -> FaceRecords:
        if isinstance(indices, int):
            records = super()._get_unserialized_subset(indices)
        else:
            records = self.data_list.take(np.asarray(indices, np.int64))
        if not len(records):
            raise ConfigError(f'indices is {indices!r}, which leaves no image')
        return records

    def prepare_data(self, idx: int) -> dict:
        """Runs the pipeline on one image.

        Raises:
            DataError: OpenCV or mmcv rejects the image; they do not always name the file.
        """
        try:
            return super().prepare_data(idx)
        except (AssertionError, OSError, cv2.error) as error:
            path = self.get_data_info(idx)['img_path']
            raise DataError(
                f'{path} cannot be read or transformed ({one_line(error)}): restore it, or correct the pipeline'
            ) from error

    def get_cat_ids(self, idx: int) -> List[int]:
        """Returns an image's positive labels, as mmpretrain's multi-label datasets do for ``ClassBalancedDataset``."""
        return np.flatnonzero(self.get_data_info(idx)['gt_score'] == 1).tolist()

    def extra_repr(self) -> List[str]:
        """Lines for ``repr``."""
        return [f'Protocol: \t{self.protocol}, split {self.split}', f'Data root: \t{self.data_root}']
