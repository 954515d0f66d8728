import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Dict, Optional, Union

import cv2
import mmcv
import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import ConfigError, DataError
from ..files import lock, sync, write_text
from .celeba_lists import Annotations
from .pack_format import ARRAYS, FORMAT, HEADER, IMAGES, VERSION, Pack, _images_checksum, _read_header, open_pack
from .pack_source import _PackSource, _read_source
from .pack_workers import _PackTask, _run_task

# Files of an unfinished pack: the list of unreadable images, and the lock that excludes other processes.
UNREADABLE = 'bad.txt'
LOCK = 'lock'


def write_pack(
    root: Union[str, Path],
    out: Union[str, Path],
    size: int = 112,
    jobs: Optional[int] = None,
    skip_bad: bool = False,
    data_prefix: Optional[str] = None,
) -> Pack:
    """Writes all images in the lists of CelebA or LFWA to one memory map.

    It is written to ``<out>.partial``, which is renamed when complete. After an interruption, the same call resumes.

    Args:
        root: The dataset's folder, see :class:`CelebAIdentity` and :class:`LFWA`. LFWA's images are center-cropped,
            since they show more around a face.
        out: The new folder.
        size: Height and width of the images in pixels.
        jobs: Number of processes; by default one per core, or 1 for a small dataset. With 1, no process is started.
        skip_bad: Skip unreadable images and list them in the header.
        data_prefix: The image folder. Defaults to that of the dataset's download.

    Raises:
        DataError: The lists or images cannot be read, or the disk is full.
        ConfigError: ``out`` exists, or ``<out>.partial`` was started with other settings or lists.
    """
    out = Path(out).expanduser().resolve()
    if out.exists():
        raise ConfigError(f'{out} exists: remove it, or choose another name')
    if size < 1 or (jobs is not None and jobs < 1):
        raise ConfigError(f'size is {size} and jobs is {jobs}: both must be at least 1')
    source = _read_source(root, data_prefix)
    header = dict(
        format=FORMAT,
        version=VERSION,
        dataset=source.dataset,
        num_images=len(source.names),
        cut=source.cut and list(source.cut),
        size=[size, size],
        channel_order='BGR',
        decoding=dict(backend='cv2', color_type='color'),
        resizing=dict(interpolation='area', backend='cv2'),
        classes=list(ATTRIBUTES),
        source=os.path.abspath(source.folder),
        versions=dict(opencv=cv2.__version__, mmcv=mmcv.__version__, numpy=np.__version__),
        annotations_checksum=source.checksum,
    )
    partial = out.with_name(f'{out.name}.partial')
    try:
        _check_space(partial, header)
        partial.mkdir(parents=True, exist_ok=True)
        with (partial / LOCK).open('w') as file:
            lock(file, f'{partial} is being written by another process: wait for it')
            _start(partial, header, source.annotations)
            unreadable = _pack_images(partial, source, size, jobs)
            if unreadable and (not skip_bad or len(unreadable) == len(source.names)):
                _reject_unreadable(partial, unreadable, len(source.names))
            _finish(partial, dict(header, skipped=unreadable))
            partial.rename(out)
            (out / LOCK).unlink(missing_ok=True)
            sync(out.parent)
    except OSError as error:
        raise DataError(
            f'{partial} cannot be written ({error.strerror}): run the same command again to continue'
        ) from error
    return open_pack(out)


def _check_space(partial: Path, header: dict) -> None:
    """Raises DataError if the disk cannot hold the images; the labels' few bytes per image are ignored."""
    needed = header['num_images'] * header['size'][0] * header['size'][1] * 3
    if (partial / IMAGES).is_file():
        # The file is sparse: only the written blocks take space.
        needed -= (partial / IMAGES).stat().st_blocks * 512
    disk = next(folder for folder in partial.parents if folder.exists())
    free = shutil.disk_usage(disk).free
    if needed > free:
        raise DataError(
            f'{disk} has {free / 1e9:.2f} GB left, but {needed / 1e9:.2f} GB are needed: free some, or pack to '
            'another disk'
        )


def _start(partial: Path, header: dict, annotations: Annotations) -> None:
    """Writes an empty pack, or checks that the existing one has the same header."""
    if (partial / HEADER).is_file():
        started = _read_header(partial)
        for key, value in header.items():
            if started.get(key) != value:
                raise ConfigError(
                    f'{partial} was started with {key} {started.get(key)!r}, now it is {value!r}: run the same '
                    'command as then, or remove that folder to start from scratch'
                )
        return
    present = np.zeros(len(annotations.names), bool)
    arrays = (annotations.names, annotations.labels, annotations.identity, annotations.partition, present)
    for name, array in zip(ARRAYS, arrays):
        np.save(partial / name, array)
    np.lib.format.open_memmap(partial / IMAGES, 'w+', np.uint8, (len(present), *header['size'], 3))
    for name in (*ARRAYS, IMAGES):
        sync(partial / name)
    # Written last: its existence means that the other files are complete.
    write_text(partial / HEADER, json.dumps(dict(header, skipped={}, checksums={}), indent=1))


def _pack_images(partial: Path, source: _PackSource, size: int, jobs: Optional[int]) -> Dict[str, str]:
    """Packs the remaining images; returns the names of unreadable ones with the reason."""
    present = np.lib.format.open_memmap(partial / 'present.npy', 'r+')
    remaining = np.flatnonzero(~present)
    unreadable, names = {}, source.names
    task = _PackTask(partial, source.folder, size, source.cut, remaining, names[remaining])
    for rows, failed in _run_task(_write_images, task, jobs, 'Packing', len(names)):
        unreadable.update(failed)
        present[np.setdiff1d(rows, list(failed))] = True
        present.flush()
    return {names[row].decode(errors='replace'): unreadable[row] for row in sorted(unreadable)}


def _write_images(task: _PackTask) -> Dict[int, str]:
    """Writes images to their rows; returns the rows of unreadable ones with the reason."""
    offset = np.load(task.pack / IMAGES, mmap_mode='r').offset
    unreadable = {}
    # Writing through the memory map would crash the process on a full disk.
    with (task.pack / IMAGES).open('r+b') as file:
        for row, face in task.read_faces(unreadable):
            file.seek(offset + row * face.nbytes)
            file.write(face)
    sync(task.pack / IMAGES)
    return unreadable


def _reject_unreadable(partial: Path, unreadable: Dict[str, str], num_images: int) -> None:
    write_text(partial / UNREADABLE, ''.join(f'{name}\t{reason}\n' for name, reason in unreadable.items()))
    first = ', '.join(f'{name} ({reason})' for name, reason in list(unreadable.items())[:5])
    raise DataError(
        f'{len(unreadable)} of {num_images} images cannot be packed: {first}{", ..." if len(unreadable) > 5 else ""}; '
        f'all are in {partial / UNREADABLE}: unpack them again and run the same command, or skip them with --skip-bad'
    )


def _finish(partial: Path, header: dict) -> None:
    """Writes the header with checksums and removes the files of an unfinished pack."""
    checksums = {name: hashlib.sha256((partial / name).read_bytes()).hexdigest() for name in ARRAYS}
    checksums[IMAGES] = _images_checksum(partial)
    write_text(partial / HEADER, json.dumps(dict(header, checksums=checksums), indent=1))
    (partial / UNREADABLE).unlink(missing_ok=True)
    for name in (*ARRAYS, IMAGES, HEADER, '.'):
        sync(partial / name)
