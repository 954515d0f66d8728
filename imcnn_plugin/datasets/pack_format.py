"""The folder that ``tools/data/pack.py`` writes and :class:`~imcnn_plugin.datasets.PackedFaces` reads.

``header.json`` describes the pack and how it was made. ``images.npy`` contains all images in the order of the
dataset's lists, and the other files of :data:`ARRAYS` contain the lists. Rows that are not ``present`` are images that
could not be read; they are all zero.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Union

import numpy as np

from ..attributes import ATTRIBUTES
from ..errors import DataError
from ..files import read_bytes
from ..progress import track
from .celeba_lists import Annotations

FORMAT = 'imcnn_plugin packed faces'
VERSION = 1
HEADER = 'header.json'
IMAGES = 'images.npy'
# Type of the values and shape after the first axis of the small arrays.
ARRAYS = {
    'names.npy': ('S', ()),
    'labels.npy': ('i1', (len(ATTRIBUTES),)),
    'identity.npy': ('i4', ()),
    'partition.npy': ('i1', ()),
    'present.npy': ('b1', ()),
}
# Values of keys that are missing from the oldest packs.
DEFAULTS = dict(dataset='CelebA', cut=None)
# The keys of header.json and the types of their values.
KEYS = {
    **dict.fromkeys(('format', 'dataset', 'channel_order', 'source', 'annotations_checksum'), str),
    **dict.fromkeys(('version', 'num_images'), int),
    **dict.fromkeys(('size', 'classes'), list),
    'cut': (list, type(None)),
    **dict.fromkeys(('decoding', 'resizing', 'versions', 'skipped', 'checksums'), dict),
}


@dataclass(frozen=True)
class Pack:
    """An open pack of N images."""

    path: Path
    header: dict
    images: np.ndarray  # (N, H, W, 3) uint8, BGR, memory-mapped
    annotations: Annotations
    present: np.ndarray  # (N, ) bool


def open_pack(path: Union[str, Path]) -> Pack:
    """Opens a pack and checks everything except the image data, see :func:`verify_pack`.

    Raises:
        DataError: Names the file and the key that is wrong.
    """
    path = Path(path)
    header = _read_header(path)
    arrays = {}
    for name, (kind, shape) in ARRAYS.items():
        content = read_bytes(path / name, 'pack the images again')
        _compare_checksum(path / name, header, hashlib.sha256(content).hexdigest())
        arrays[name] = _read_array(path / name, io.BytesIO(content))
        _check_array(path / name, arrays[name], kind, (header['num_images'], *shape))
    images = _read_array(path / IMAGES)
    _check_array(path / IMAGES, images, 'u1', (header['num_images'], *header['size'], 3))
    names, labels, identity, partition, present = arrays.values()
    return Pack(path, header, images, Annotations(names, labels, identity, partition), present)


def _read_header(path: Path) -> dict:
    """Reads the ``header.json`` of a pack; raises DataError if it is not valid."""
    file = path / HEADER
    if not path.is_dir():
        raise DataError(f'{path} not found: make it with tools/data/pack.py, or set the data root (CELEBA_PACK) to it')
    try:
        header = json.loads(read_bytes(file, 'pack the images again'))
    except (ValueError, RecursionError) as error:
        raise DataError(f'{file} is not JSON ({error}): pack the images again') from error
    if not isinstance(header, dict) or header.get('format') != FORMAT:
        raise DataError(f"{file}: format is not '{FORMAT}': this folder is not a pack of tools/data/pack.py")
    if header.get('version') != VERSION:
        raise DataError(
            f'{file}: version is {header.get("version")}, expected {VERSION}: pack the images again with this version '
            'of imcnn_plugin'
        )
    header = {**DEFAULTS, **header}
    for key, kind in KEYS.items():
        if not isinstance(header.get(key), kind):
            kind = kind[0] if isinstance(kind, tuple) else kind
            raise DataError(f'{file}: {key} is {header.get(key)!r}, expected a {kind.__name__}: pack the images again')
    if len(header['size']) != 2:
        raise DataError(f'{file}: size is {header["size"]}, expected height and width: pack the images again')
    if header['classes'] != list(ATTRIBUTES):
        raise DataError(f"{file}: classes are not CelebA's 40 attributes in their order: pack the images again")
    return header


def _read_array(path: Path, content: Union[BinaryIO, None] = None) -> np.ndarray:
    """An array from the content of a .npy file, or memory-mapped."""
    try:
        return np.asarray(np.load(content) if content else np.load(path, mmap_mode='r'))
    # NumPy raises many types of errors for damaged files.
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise DataError(f'{path} cannot be read ({reason}): pack the images again') from error


def _check_array(path: Path, array: np.ndarray, kind: str, shape: tuple) -> None:
    if array.dtype.str[1:] != kind and array.dtype.kind != kind:
        raise DataError(f'{path}: the type is {array.dtype}, expected {np.dtype(kind)}: pack the images again')
    if array.shape != shape:
        raise DataError(f'{path}: the shape is {array.shape}, expected {shape} by {HEADER}: pack the images again')


def _images_checksum(pack: Path) -> str:
    digest, size, step = hashlib.sha256(), (pack / IMAGES).stat().st_size, 2**24
    with (pack / IMAGES).open('rb') as file:
        for chunk in track(iter(lambda: file.read(step), b''), 'Checksum', total=-(-size // step)):
            digest.update(chunk)
    return digest.hexdigest()


def _compare_checksum(path: Path, header: dict, found: str) -> None:
    expected = header['checksums'].get(path.name)
    if found != expected:
        raise DataError(
            f'{path}: its SHA-256 is {found[:12]}..., expected {str(expected)[:12]}... by checksums of {HEADER}: it '
            'was changed or damaged; pack the images again'
        )
