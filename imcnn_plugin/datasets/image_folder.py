"""Finds the images of CelebA's lists on disk."""

import os
from pathlib import Path
from typing import List, Optional, Tuple, Union

import numpy as np

from .file_signatures import foreign_file
from .issues import Kind, Problem, Report, refuse, show

NO_FOLDER = Kind(
    'no folder of images', 'unpack the images there, or name their folder in data_prefix (check.py --data-prefix)'
)
MISSING = Kind('images that are not on disk', 'unpack the images again')


def find_folder(root: Union[str, Path], prefix: str, report: Report = refuse) -> Optional[str]:
    """The folder of images in ``root`` or in its ``Img``, also with _png behind its name."""
    folders = [os.path.join(root, sub, prefix + suffix) for sub in ('', 'Img') for suffix in ('', '_png')]
    folder = next((folder for folder in folders if os.path.isdir(folder)), None)
    if folder is None:
        report([instead_of_folder(folders, prefix)])
        return None
    nested = os.path.join(folder, os.path.basename(prefix))
    if os.path.isdir(nested) and not len(files_in(folder)):
        report([Problem(NO_FOLDER, folder, None, f'has no images, but a folder {os.path.basename(nested)} in it')])
        return None
    return folder


def instead_of_folder(folders: List[str], prefix: str) -> Problem:
    """Says what there is in place of the folder of images."""
    for path in [folder + suffix for folder in folders for suffix in ('', '.zip', '.7z')]:
        if os.path.isfile(path):
            with open(path, 'rb') as file:
                foreign = foreign_file(file.read(64))
            kind, found = foreign or (NO_FOLDER, 'neither a folder nor an archive')
            return Problem(kind, path, None, f'is {found}, and there is no folder of images')
    return Problem(NO_FOLDER, folders[0], None, f'not found, nor {prefix} in Img')


def files_in(folder: str) -> np.ndarray:
    """Names of the files in a folder, bytes ``(n, )``, sorted."""
    names = [entry.name for entry in os.scandir(os.fsencode(folder)) if not entry.is_dir()]
    return np.sort(np.array(names, dtype=bytes))


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
    folder = find_folder(data_root, prefix)
    present = files_in(folder)
    missing = missing_from(present, names)
    if len(missing) == len(names):
        png = np.array([name.rsplit(b'.', 1)[0] + b'.png' for name in names.tolist()], dtype=bytes)
        missing_png = missing_from(present, png)
        if len(missing_png) < len(names):
            return folder, png, missing_png
    return folder, names, missing


def missing_from(present: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Indices of the names that are not in the sorted array ``present``."""
    if not len(present):
        return np.arange(len(names))
    place = np.searchsorted(present, names).clip(max=len(present) - 1)
    return np.flatnonzero(present[place] != names)


def missing_images(path: str, lines: np.ndarray, folder: str, names: np.ndarray) -> List[Problem]:
    """Images that are not in their folder, as problems of the list that names them.

    Args:
        path: The list.
        lines: Their lines in it ``(n, )``.
        folder: The folder of images.
        names: Their names in it ``(n, )``.
    """
    return [
        Problem(MISSING, path, line, f'{show(name)} is not in {folder}')
        for line, name in zip(lines.tolist(), names.tolist())
    ]
