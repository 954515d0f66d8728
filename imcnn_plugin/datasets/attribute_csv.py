import os
from pathlib import Path
from typing import List, Optional, Sequence, Union

import numpy as np
from mmpretrain.registry import DATASETS

from ..errors import ConfigError
from .celeba import CelebAIdentity
from .celeba_lists import Annotations, _checksum
from .csv_table import _read_table
from .face_dataset import FaceRecords
from .protocols import Splits


@DATASETS.register_module()
class AttributeCSV(CelebAIdentity):
    """Images with custom labels, from a CSV file with a header and a line for each image.

    Labels are 1 or true for yes and 0 or false for no; -1, an empty field or nan is unknown. In a column that has only
    1 and -1, -1 means no. Other columns hold the image's path and, optionally, its identity (any text; -1, an empty
    field or nan is unknown) and its split (train, val or test, or 0, 1 or 2). Lists separated by spaces, like CelebA's
    own, can be read too.

    Args:
        ann_file: The CSV file, in ``data_root`` unless absolute.
        data_root: The dataset's folder.
        data_prefix: The image folder in ``data_root``; the paths in the file are relative to it.
        classes: The label columns in the desired order. Defaults to all columns without another use, in the file's
            order.
        image_column: The column of image paths.
        identity_column: The column of identities.
        identity_from_folder: Use the folder of each image as its identity.
        split_column: The column of splits.
        split_file: A file of images and splits instead of a column, such as CelebA's ``list_eval_partition.txt``, in
            ``data_root`` unless absolute. Without ``split_column`` and ``split_file``, every ``split`` of the protocol
            'official' is the whole file.
        negative: The number that means no in all columns, 0 or -1; the other one is unknown. By default it is
            inferred for each column.
        **kwargs: ``split``, ``protocol`` and others of :class:`CelebAIdentity`.

    Records and ``metainfo`` are those of :class:`CelebAIdentity`, with the file's ``classes``. ``identity`` is the
    number in the file if all identities are integers; otherwise identities are numbered from 0 in order of
    appearance.

    Raises:
        DataError: The file cannot be read, an image is missing, or splits share an identity.
        ConfigError: An option does not exist or does not fit the data.
    """

    METAINFO = dict()
    HAS_ANN_FILE = True

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
        split_file: Optional[str] = None,
        negative: Optional[int] = None,
        **kwargs,
    ):
        if identity_column and identity_from_folder:
            raise ConfigError(f"identities are in column '{identity_column}' or folders are: set one of the two")
        if split_column and split_file:
            raise ConfigError(f"splits are in column '{split_column}' or in {split_file}: set one of the two")
        self.split_column = split_column
        self.split_file = split_file and os.path.join(os.path.expanduser(data_root), os.path.expanduser(split_file))
        self.table_options = (
            image_column,
            identity_column,
            identity_from_folder,
            split_column,
            self.split_file,
            negative,
        )
        super().__init__(data_root, data_prefix=data_prefix, ann_file=ann_file, classes=classes, **kwargs)

    def load_data_list(self) -> FaceRecords:
        """Reads the file and finds the split's images."""
        path = Path(self.ann_file)
        annotations, classes, lines = _read_table(path, self._metainfo.get('classes'), *self.table_options)
        self._metainfo.update(classes=classes)
        checksum = _checksum(Path(file).read_bytes() for file in (path, self.split_file) if file)
        rows, gt_identity = self._select(annotations, str(path), checksum)
        names = annotations.names[rows]
        self._check_images(names, f'{path}, line', lines[rows])
        return FaceRecords(self.img_prefix, names, annotations.labels[rows], gt_identity, annotations.identity[rows])

    def _make_splits(self, annotations: Annotations, source: str) -> Splits:
        if self.protocol == 'official' and not (self.split_column or self.split_file):
            whole = np.full(len(annotations.names), True)
            return {'train': ~whole, self.split: whole}
        return super()._make_splits(annotations, source)

    def _identity_name(self, annotations: Annotations) -> str:
        # Identity numbers are only comparable within one list. The checksum excludes labels, which may differ.
        checksum = _checksum([*annotations.names.tolist(), annotations.identity.tobytes()])
        return f'identities of {Path(self.ann_file).name} ({checksum[:12]})'

    def extra_repr(self) -> List[str]:
        """Lines for ``repr``."""
        return [f'Annotation file: \t{self.ann_file}', *super().extra_repr()]
