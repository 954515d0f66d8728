from dataclasses import fields
from pathlib import Path
from typing import Dict, Optional, Union

import cv2
import numpy as np

from ..errors import DataError
from .celeba_lists import Annotations
from .pack_format import HEADER, IMAGES, Pack, _compare_checksum, _images_checksum, open_pack
from .pack_source import _PackSource, _read_source
from .pack_workers import _PackTask, _run_task


def verify_pack(
    path: Union[str, Path],
    root: Union[str, Path, None] = None,
    jobs: Optional[int] = None,
    data_prefix: Optional[str] = None,
) -> Pack:
    """Checks every byte of a pack and, given the dataset's folder, compares the pack with its lists and images.

    Args:
        path: The pack.
        root: The folder of CelebA or LFWA.
        jobs: Number of processes; by default one per core, or 1 for a small dataset.
        data_prefix: The image folder. Defaults to that of the dataset's download.

    Raises:
        DataError: The pack is damaged, or differs from the files.
    """
    pack = open_pack(path)
    _compare_checksum(pack.path / IMAGES, pack.header, _images_checksum(pack.path))
    if root is not None:
        source = _read_source(root, data_prefix)
        _compare_lists(pack, source, root)
        folder, names, rows = source.folder, source.names, np.flatnonzero(pack.present)
        task = _PackTask(pack.path, folder, pack.header['size'][0], pack.header['cut'], rows, names[rows])
        different = {}
        for _, result in _run_task(_compare_images, task, jobs, 'Comparing', len(names)):
            different.update(result)
        if different:
            row = min(different)
            name = names[row].decode(errors='replace')
            raise DataError(
                f'{pack.path / IMAGES}: {len(different)} images differ from {folder}, the first in row {row}, '
                f'{name} ({different[row]}); packed with {pack.header["versions"]}, compared with '
                f'OpenCV {cv2.__version__}: pack the images again'
            )
    return pack


def _compare_lists(pack: Pack, source: _PackSource, root: Union[str, Path]) -> None:
    if pack.header['dataset'] != source.dataset:
        raise DataError(f'{pack.path / HEADER}: the pack holds {pack.header["dataset"]}, but {root} {source.dataset}')
    for field in fields(Annotations):
        if not np.array_equal(getattr(pack.annotations, field.name), getattr(source.annotations, field.name)):
            raise DataError(f'{pack.path / field.name}.npy: differs from the lists of {root}: pack the images again')
    if source.checksum != pack.header['annotations_checksum']:
        raise DataError(
            f'{pack.path / HEADER}: annotations_checksum is not that of the lists of {root}, whose content is the '
            'same in other bytes: pack the images again to compare reports'
        )


def _compare_images(task: _PackTask) -> Dict[int, str]:
    """Returns the rows of images that differ from the files, with a description."""
    images = np.load(task.pack / IMAGES, mmap_mode='r')
    different = {}
    for row, face in task.read_faces(different):
        if not np.array_equal(face, images[row]):
            difference = np.abs(face.astype(int) - images[row]).max()
            different[row] = f'values differ by up to {difference}'
    return different
