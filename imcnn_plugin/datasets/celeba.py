import os
from pathlib import Path
from typing import Dict, List

import numpy as np
from mmpretrain.registry import DATASETS

from ..errors import ConfigError
from .celeba_lists import Annotations, _lists_checksum, read_annotations
from .face_dataset import FaceDataset, FaceRecords
from .image_folder import DATA_PREFIX, find_images, missing_image_issues
from .issues import _reject
from .list_file import ATTRIBUTE_LIST, CSV, PARTITION_LIST, _find_list
from .protocols import Splits, _check_disjoint, _kfold_splits, _official_splits, _paper_splits


@DATASETS.register_module()
class CelebAIdentity(FaceDataset):
    """CelebA with its 40 attributes and its identities, from the dataset's own files.

    ``data_root`` contains ``list_attr_celeba.txt``, ``identity_CelebA.txt``, ``list_eval_partition.txt`` and the image
    folder, side by side or in the folders ``Anno``, ``Eval`` and ``Img`` of the download. Images may be .jpg or .png,
    and lists may be .csv files as on Kaggle. Without ``identity_CelebA.txt`` all identities are unknown.

    Args:
        data_root: CelebA's folder.
        split: 'train', 'val', 'test' or 'trainval' of ``protocol='official'``, otherwise 'train' or 'test'.
        protocol: 'official', 'paper' or 'kfold', see :mod:`imcnn_plugin.datasets.protocols`.
        fold: The test fold of 'kfold', from 0.
        num_folds: Number of folds of 'kfold'.
        num_train_identities: Number of training identities of 'paper'.
        seed: The seed of 'paper' and 'kfold'.
        min_images_per_identity: The identity loss ignores identities with fewer training images.
        data_prefix: The image folder.
        **kwargs: Options of mmpretrain's ``BaseDataset``. ``pipeline`` gets records ``img_path``, ``gt_score`` (L, ),
            ``gt_identity`` and ``identity``. ``classes`` selects and orders L of the 40 attributes.

    ``gt_identity`` is 0 to K - 1 for the identities of the training split, -1 for others; ``identity`` is CelebA's
    number. ``metainfo`` is that of :class:`FaceDataset`.

    Raises:
        DataError: A file cannot be read, an image is missing, or splits share an identity.
        ConfigError: The protocol, split or classes do not exist or do not fit the data.
    """

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
        data_prefix: str = DATA_PREFIX,
        **kwargs,
    ):
        # A config may read it from an environment variable, which is a string.
        self.fold = int(fold)
        self.num_folds = num_folds
        self.num_train_identities = num_train_identities
        self.seed = seed
        super().__init__(data_root, split, protocol, min_images_per_identity, data_prefix=data_prefix, **kwargs)

    def load_data_list(self) -> FaceRecords:
        """Reads CelebA's lists and finds the split's images."""
        annotations = read_annotations(self.data_root)
        partition = str(_find_list(self.data_root, PARTITION_LIST))
        rows, gt_identity = self._select(annotations, partition, _lists_checksum(self.data_root))
        # Keep an absolute data_prefix: if data_root is a symlink, a relative path with .. would resolve elsewhere.
        inside = Path(self.img_prefix).is_relative_to(self.data_root)
        prefix = os.path.relpath(self.img_prefix, self.data_root) if inside else os.path.abspath(self.img_prefix)
        folder, names, missing = find_images(self.data_root, prefix, annotations.names[rows])
        attributes = _find_list(self.data_root, ATTRIBUTE_LIST)
        first_line = 2 if attributes.suffix == CSV else 3
        _reject(missing_image_issues(str(attributes), rows[missing] + first_line, folder, names[missing]))
        labels = self._select_attributes(annotations.labels[rows])
        return FaceRecords(folder, names, labels, gt_identity, annotations.identity[rows])

    def _make_splits(self, annotations: Annotations, source: str) -> Splits:
        identity = annotations.identity
        if self.protocol == 'official':
            splits = _official_splits(annotations.partition)
        elif self.protocol == 'paper':
            splits = _paper_splits(identity, self.num_train_identities, self.seed)
        elif self.protocol == 'kfold':
            splits = _kfold_splits(identity, self.fold, self.num_folds, self.seed)
            self._metainfo.update(fold=self.fold)
        else:
            raise ConfigError(f"there is no protocol '{self.protocol}', only 'official', 'paper' and 'kfold'")
        _check_disjoint(splits, identity, annotations.names, source)
        return splits

    def _rule(self) -> Dict[str, int]:
        return dict(
            paper=dict(num_train_identities=self.num_train_identities, seed=self.seed),
            kfold=dict(fold=self.fold, num_folds=self.num_folds, seed=self.seed),
        ).get(self.protocol, {})

    def _members(self, annotations: Annotations, rows: np.ndarray) -> Dict[str, List[int]]:
        found = np.unique(annotations.identity[rows])
        return {self._identity_name(annotations): found[found >= 0].tolist()}

    def _identity_name(self, annotations: Annotations) -> str:
        return 'identities of CelebA'
