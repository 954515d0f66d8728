"""Finds the images of annotation files on disk."""

import os
from pathlib import Path
from typing import List, Optional, Tuple, Union

import numpy as np

from .file_signatures import identify_foreign_file
from .issues import Issue, IssueHandler, IssueKind, _reject, quote

# The image folder of CelebA's download.
DATA_PREFIX = 'img_align_celeba'

NO_FOLDER = IssueKind(
    'no image folder', 'unpack the images there, or set data_prefix to their folder (check.py --data-prefix)'
)
MISSING = IssueKind('images that are not on disk', 'unpack the images again')


def find_image_folder(root: Union[str, Path], prefix: str, report: IssueHandler = _reject) -> Optional[str]:
    """Finds CelebA's image folder ``prefix`` in ``root`` or its ``Img``, also with _png appended to its name.

    Unpacked archives often have a folder of the same name in it: this one is returned if there are no other files but
    hidden ones. If there is no image folder, the issue is passed to ``report`` and the result is None.
    """
    prefix = prefix.rstrip('/')
    folders = [os.path.join(root, sub, prefix + suffix) for sub in ('', 'Img') for suffix in ('', '_png')]
    folder = next((folder for folder in folders if os.path.isdir(folder)), None)
    if folder is None:
        report([_missing_folder(folders, prefix)])
        return None
    nested = os.path.join(folder, os.path.basename(prefix))
    if os.path.isdir(nested) and all(name.startswith(b'.') for name in list_files(folder).tolist()):
        return nested
    return folder


def _missing_folder(folders: List[str], prefix: str) -> Issue:
    """Describes what exists instead of the image folder."""
    for path in [folder + suffix for folder in folders for suffix in ('', '.zip', '.7z')]:
        if os.path.isfile(path):
            with open(path, 'rb') as file:
                foreign = identify_foreign_file(file.read(64))
            kind, found = foreign or (NO_FOLDER, 'neither a folder nor an archive')
            return Issue(kind, path, None, f'is {found}, and there is no image folder')
    return Issue(NO_FOLDER, folders[0], None, f'not found, nor {prefix} in Img')


def list_files(folder: str) -> np.ndarray:
    """Lists the names of the files in a folder, bytes ``(n, )``."""
    return np.array([entry.name for entry in os.scandir(os.fsencode(folder)) if not entry.is_dir()], dtype=bytes)


def find_images(data_root: Union[str, Path], prefix: str, names: np.ndarray) -> Tuple[str, np.ndarray, np.ndarray]:
    """Finds the files of CelebA's images, which end in .png in the lossless version.

    Args:
        data_root: CelebA's folder.
        prefix: The image folder in it, or in its ``Img``.
        names: Names in CelebA's lists ``(N, )``.

    Returns:
        The folder; the names in it ``(N, )``; indices of the images that are missing.

    Raises:
        DataError: There is no such folder.
    """
    folder = find_image_folder(data_root, prefix)
    missing = _find_missing(folder, names)
    if len(missing) == len(names):
        png = np.array([name.rsplit(b'.', 1)[0] + b'.png' for name in names.tolist()], dtype=bytes)
        missing_png = _find_missing(folder, png)
        if len(missing_png) < len(names):
            return folder, png, missing_png
    return folder, names, missing


def _find_missing(folder: str, paths: np.ndarray) -> np.ndarray:
    """Indices of the paths ``(N, )``, bytes relative to a folder, that are not there."""
    present = []
    for subfolder in {os.path.dirname(path) for path in paths.tolist()}:
        absolute = os.path.join(os.fsencode(folder), subfolder)
        if os.path.isdir(absolute):
            present += [os.path.join(subfolder, name) for name in os.listdir(absolute)]
    return np.flatnonzero(~np.isin(paths, np.array(present, dtype=bytes)))


def missing_image_issues(path: str, lines: np.ndarray, folder: str, names: np.ndarray) -> List[Issue]:
    """Returns an issue for each of n images that are in ``lines`` of the list ``path`` but not in ``folder``."""
    return [
        Issue(MISSING, path, line, f'{quote(name)} is not in {folder}')
        for line, name in zip(lines.tolist(), names.tolist())
    ]
