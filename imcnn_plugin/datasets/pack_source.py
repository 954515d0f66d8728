from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple, Union

import numpy as np

from .celeba_lists import Annotations, _lists_checksum, read_annotations
from .image_folder import DATA_PREFIX, find_images
from .lfwa import FOLDER, LFWA_CUT, _read_lfwa, is_lfwa


@dataclass(frozen=True)
class _PackSource:
    """The files that a pack is made from."""

    dataset: str  # 'CelebA' or 'LFWA'
    annotations: Annotations
    checksum: str  # of the annotation files
    folder: str  # of the image files
    names: np.ndarray  # (N, ) bytes, of the image files
    cut: Optional[Tuple[int, int]]  # width and height of the center crop; None for the whole image


def _read_source(root: Union[str, Path], data_prefix: Optional[str] = None) -> _PackSource:
    """Reads the files of CelebA or LFWA, whichever is in ``root``."""
    if is_lfwa(root):
        annotations, checksum = _read_lfwa(root)
        folder, names, _ = find_images(root, data_prefix or FOLDER, annotations.names)
        return _PackSource('LFWA', annotations, checksum, folder, names, LFWA_CUT)
    annotations = read_annotations(root)
    folder, names, _ = find_images(root, data_prefix or DATA_PREFIX, annotations.names)
    return _PackSource('CelebA', annotations, _lists_checksum(root), folder, names, None)
