"""Writes packs of faces and verifies them."""

import fcntl
import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Dict, Iterator, Optional, Union

import cv2
import mmcv
import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError
from ..files import sync, write_text
from .celeba_lists import Annotations, lists_checksum, read_annotations
from .image_folder import find_images
from .pack_format import ARRAYS, FORMAT, HEADER, IMAGES, VERSION, Pack, check_sum, open_pack, read_header
from .pack_tasks import Task, make_tasks, read_faces, run_tasks

PREFIX = 'img_align_celeba'
# In the unfinished pack; the list of images that cannot be read, and what keeps a second process out.
BAD = 'bad.txt'
LOCK = 'lock'


def write_pack(
    root: Union[str, Path],
    out: Union[str, Path],
    size: int = 112,
    jobs: Optional[int] = None,
    skip_bad: bool = False,
    data_prefix: str = PREFIX,
) -> Pack:
    """Writes all images of CelebA's lists to one memory map.

    It grows in ``<out>.partial``, where the same call goes on after an interruption, and gets its name at the end.

    Args:
        root: CelebA's folder, as :class:`CelebAIdentity` takes it.
        out: The new folder.
        size: Side of the images in pixels.
        jobs: Number of processes; by default all cores, or 1 for a small set. With 1 none is started.
        skip_bad: Leave out images that cannot be read, and list them in the header.
        data_prefix: The folder of images.

    Raises:
        DataError: The lists or images cannot be read, or the disk is full.
        ConfigError: ``out`` exists, or ``<out>.partial`` was begun with other settings or lists.
    """
    out = Path(out).expanduser().resolve()
    if out.exists():
        raise ConfigError(f'{out} exists: remove it, or give another name')
    if size < 1 or (jobs is not None and jobs < 1):
        raise ConfigError(f'size is {size} and jobs is {jobs}: both must be at least 1')
    annotations = read_annotations(root)
    folder, names, _ = find_images(root, data_prefix, annotations.names)
    header = dict(
        format=FORMAT,
        version=VERSION,
        num_images=len(names),
        size=[size, size],
        channel_order='BGR',
        decoding=dict(backend='cv2', color_type='color'),
        resizing=dict(interpolation='area', backend='cv2'),
        classes=list(ATTRIBUTES),
        source=os.path.abspath(folder),
        versions=dict(opencv=cv2.__version__, mmcv=mmcv.__version__, numpy=np.__version__),
        annotations_checksum=lists_checksum(root),
    )
    partial = out.with_name(f'{out.name}.partial')
    try:
        check_space(partial, header)
        partial.mkdir(parents=True, exist_ok=True)
        with locked(partial / LOCK):
            begin(partial, header, annotations)
            bad = pack_images(partial, folder, size, names, jobs)
            if bad:
                report_bad(partial, bad, len(names), skip_bad)
            finish(partial, dict(header, skipped=bad))
            partial.rename(out)
            sync(out.parent)
    except OSError as error:
        raise DataError(
            f'{partial} cannot be written ({error.strerror}): the same command goes on from here'
        ) from error
    return open_pack(out)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other processes out until this one leaves or ends in whatever way."""
    with path.open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f'{path.parent} is being written by another process: wait for it') from None
        yield


def check_space(partial: Path, header: dict) -> None:
    """Refuses to start what the disk cannot hold; the labels' few bytes an image are not counted."""
    needed = header['num_images'] * header['size'][0] * header['size'][1] * 3
    if (partial / IMAGES).is_file():
        # It has holes where nothing was written yet.
        needed -= (partial / IMAGES).stat().st_blocks * 512
    disk = next(folder for folder in partial.parents if folder.exists())
    free = shutil.disk_usage(disk).free
    if needed > free:
        raise DataError(
            f'{disk} has {free / 1e9:.2f} GB left, but {needed / 1e9:.2f} GB are needed: free some, or pack to '
            'another disk'
        )


def begin(partial: Path, header: dict, annotations: Annotations) -> None:
    """Lays out an empty pack, or makes sure that the one begun is the same."""
    if (partial / HEADER).is_file():
        begun = read_header(partial)
        for key, value in header.items():
            if begun[key] != value:
                raise ConfigError(
                    f'{partial} was begun with {key} {begun[key]}, now it is {value}: give the same command as then, '
                    'or remove that folder to begin anew'
                )
        return
    present = np.zeros(len(annotations.names), bool)
    arrays = (annotations.names, annotations.labels, annotations.identity, annotations.partition, present)
    for name, array in zip(ARRAYS, arrays):
        np.save(partial / name, array)
    np.lib.format.open_memmap(partial / IMAGES, 'w+', np.uint8, (len(present), *header['size'], 3))
    for name in (*ARRAYS, IMAGES):
        sync(partial / name)
    # Last, as it says that the rest is there.
    write_text(partial / HEADER, json.dumps(dict(header, skipped={}, checksums={}), indent=1))


def pack_images(partial: Path, folder: str, size: int, names: np.ndarray, jobs: Optional[int]) -> Dict[str, str]:
    """Packs the images that are not yet in, and gives the names of those that cannot be read with the reason."""
    present = np.lib.format.open_memmap(partial / 'present.npy', 'r+')
    tasks = make_tasks(partial, folder, size, np.flatnonzero(~present), names)
    bad = {}
    for task, unreadable in run_tasks(write_rows, tasks, jobs, 'Packing', len(names)):
        bad.update(unreadable)
        present[np.setdiff1d(task.rows, list(unreadable))] = True
        present.flush()
    return {names[row].decode(): bad[row] for row in sorted(bad)}


def write_rows(task: Task) -> Dict[int, str]:
    """Writes images to their rows and gives the rows of those that cannot be read with the reason."""
    offset = np.load(task.pack / IMAGES, mmap_mode='r').offset
    bad = {}
    # Not through the map, where a full disk would end the process.
    with (task.pack / IMAGES).open('r+b') as file:
        for row, face in read_faces(task, bad):
            file.seek(offset + row * face.nbytes)
            file.write(face)
        file.flush()
        os.fsync(file.fileno())
    return bad


def report_bad(partial: Path, bad: Dict[str, str], num_images: int, skip_bad: bool) -> None:
    """Refuses images that cannot be read, unless they are to be skipped; never a pack without any image."""
    if skip_bad and len(bad) < num_images:
        return
    write_text(partial / BAD, ''.join(f'{name}\t{reason}\n' for name, reason in bad.items()))
    first = ', '.join(f'{name} ({reason})' for name, reason in list(bad.items())[:5])
    raise DataError(
        f'{len(bad)} of {num_images} images cannot be packed: {first}{", ..." if len(bad) > 5 else ""}; all are in '
        f'{partial / BAD}: unpack them again and give the same command, or leave them out with --skip-bad'
    )


def finish(partial: Path, header: dict) -> None:
    checksums = {name: hashlib.sha256((partial / name).read_bytes()).hexdigest() for name in ARRAYS}
    checksums[IMAGES] = images_checksum(partial)
    write_text(partial / HEADER, json.dumps(dict(header, checksums=checksums), indent=1))
    for name in (BAD, LOCK):
        (partial / name).unlink(missing_ok=True)
    for name in (*ARRAYS, IMAGES, HEADER, '.'):
        sync(partial / name)


def images_checksum(pack: Path) -> str:
    from rich import progress

    with progress.open(pack / IMAGES, 'rb', description='Checksum') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def verify_pack(
    path: Union[str, Path],
    root: Union[str, Path, None] = None,
    jobs: Optional[int] = None,
    data_prefix: str = PREFIX,
) -> Pack:
    """Checks every byte of a pack and, given CelebA's folder, that lists and all images are those of the pack.

    Raises:
        DataError: Says what differs.
    """
    pack = open_pack(path)
    check_sum(pack.path / IMAGES, pack.header, images_checksum(pack.path))
    if root is not None:
        check_lists(pack, root)
        folder, names, _ = find_images(root, data_prefix, pack.annotations.names)
        tasks = make_tasks(pack.path, folder, pack.header['size'][0], np.flatnonzero(pack.present), names)
        different = {}
        for _, result in run_tasks(compare_rows, tasks, jobs, 'Comparing', len(names)):
            different.update(result)
        if different:
            row = min(different)
            raise DataError(
                f'{pack.path / IMAGES}: {len(different)} images are not those of {folder}, the first in row {row}, '
                f'{names[row].decode()} ({different[row]}); packed with {pack.header["versions"]}, compared with '
                f'OpenCV {cv2.__version__}: pack the images again'
            )
    return pack


def check_lists(pack: Pack, root: Union[str, Path]) -> None:
    listed = read_annotations(root)
    for field in fields(Annotations):
        packed, found = (getattr(source, field.name) for source in (pack.annotations, listed))
        if not np.array_equal(packed, found):
            raise DataError(f'{pack.path / field.name}.npy: the lists of {root} say otherwise: pack the images again')
    if lists_checksum(root) != pack.header['annotations_checksum']:
        raise DataError(
            f'{pack.path / HEADER}: annotations_checksum is not that of the lists of {root}, which say the same in '
            'other bytes: pack the images again for reports that compare'
        )


def compare_rows(task: Task) -> Dict[int, str]:
    """Gives the rows of images that are not as in the files, and how they differ."""
    images = np.load(task.pack / IMAGES, mmap_mode='r')
    different = {}
    for row, face in read_faces(task, different):
        if not np.array_equal(face, images[row]):
            difference = np.abs(face.astype(int) - images[row]).max()
            different[row] = f'values differ by up to {difference}'
    return different
