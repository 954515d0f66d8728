"""Reads image files and detects damaged ones."""

import io
import warnings
import zlib
from typing import Optional, Tuple

import cv2
import mmcv
import numpy as np
from mmengine import fileio
from PIL import Image

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
JPEG_SIGNATURE = b'\xff\xd8'
JPEG_END = b'\xff\xd9'
JPEG_SCAN = 0xDA
# Segments that hold the image's size.
JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Also Pillow's limit. A small file may claim a billion pixels and exhaust the memory.
MAX_PIXELS = 178_956_970
# For reading in several processes. Starting a process takes as long as reading IMAGES_PER_PROCESS images.
IMAGES_PER_TASK = 256
IMAGES_PER_PROCESS = 2000


class UnreadableImage(Exception):
    """An image file cannot be read; the message is the reason."""


def read_image(path: str, backend_args: Optional[dict] = None) -> np.ndarray:
    """Reads an image as ``LoadImageFromFile`` does, but raises an error if the file is damaged.

    OpenCV ignores a PNG's checksums, and older versions fill the missing part of a truncated JPEG with grey.
    Inspecting the bytes for both costs 6 to 10 % of the decoding time; a second, stricter decoder such as Pillow's
    would double it. Damage inside a JPEG, which has no checksum, mostly goes undetected.

    Args:
        path: The file, or a URL of one of mmengine's file backends.
        backend_args: Arguments of the backend; by default it is inferred from the path.

    Returns:
        uint8 BGR ``(H, W, 3)``.

    Raises:
        UnreadableImage: The file is missing, empty, truncated, damaged, too large or not an image.
    """
    try:
        if backend_args or '://' in path:
            content = fileio.get(path, backend_args=backend_args)
        else:
            with open(path, 'rb') as file:
                content = file.read()
    except FileNotFoundError:
        raise UnreadableImage('missing') from None
    except (OSError, ValueError) as error:
        # ValueError: the name contains a null byte.
        raise UnreadableImage(getattr(error, 'strerror', None) or str(error)) from error
    if reason := find_corruption(content):
        raise UnreadableImage(reason)
    return decode_image(content)


def decode_image(content: bytes) -> np.ndarray:
    """Decodes an image file's bytes; raises UnreadableImage if OpenCV cannot."""
    try:
        image = mmcv.imfrombytes(content, flag='color', backend='cv2')
    except cv2.error as error:
        raise UnreadableImage(f'OpenCV rejects it: {" ".join(error.err.split())}') from error
    if image is None:
        raise UnreadableImage(f'{len(content)} bytes that OpenCV cannot decode')
    return image


def find_corruption(content: bytes) -> Optional[str]:
    """Describes what is wrong with an image file's bytes, if anything.

    JPEG and PNG are checked for truncation and PNG for checksums, other formats for the number of pixels only.
    """
    if not content:
        return 'empty file'
    if content.startswith(JPEG_SIGNATURE):
        damage, size = _scan_jpeg(content)
    elif content.startswith(PNG_SIGNATURE):
        damage, size = scan_png(content)
    else:
        damage, size = None, _pillow_size(content)
    if size[0] * size[1] > MAX_PIXELS:
        return f'more than {MAX_PIXELS} pixels'
    return damage


def _scan_jpeg(content: bytes) -> Tuple[Optional[str], Tuple[int, int]]:
    """Returns what is wrong if the end marker is missing, and width and height, 0 if unknown.

    Segments before the scan are skipped by their lengths, because a segment may hold a thumbnail with its own end
    marker. In the scan, a byte FF that does not begin a marker is followed by 00.
    """
    position, size = len(JPEG_SIGNATURE), (0, 0)
    while content[position : position + 1] == b'\xff' and position + 1 < len(content):
        marker = content[position + 1]
        if marker == 0xFF:
            # Markers may be padded with FF bytes.
            position += 1
            continue
        if marker in JPEG_FRAMES:
            size = _integer(content, position + 7, 2), _integer(content, position + 5, 2)
        position += 2 + _integer(content, position + 2, 2)
        if marker == JPEG_SCAN:
            if content.find(JPEG_END, position) >= 0:
                return None, size
            break
    return f'JPEG cut off after {len(content)} bytes', size


def scan_png(content: bytes) -> Tuple[Optional[str], Tuple[int, int]]:
    """Verifies the checksums of a PNG's chunks and that the last chunk exists.

    Returns:
        What is wrong, if anything; width and height, 0 if unknown.
    """
    position, size = len(PNG_SIGNATURE), (0, 0)
    while position + 12 <= len(content):
        kind, end = content[position + 4 : position + 8], position + 8 + _integer(content, position, 4)
        if end + 4 > len(content):
            break
        if zlib.crc32(content[position + 4 : end]) != _integer(content, end, 4):
            return f'PNG damaged in chunk {kind!r} at byte {position}', size
        if kind == b'IHDR':
            size = _integer(content, position + 8, 4), _integer(content, position + 12, 4)
        if kind == b'IEND':
            return None, size
        position = end + 4
    return f'PNG cut off after {len(content)} bytes', size


def _pillow_size(content: bytes) -> Tuple[int, int]:
    """Width and height, 0 if Pillow does not know the format."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content)) as image:
                return image.size
        except Image.DecompressionBombError:
            return MAX_PIXELS, 2
        # Pillow raises many types of errors for damaged files; OpenCV then decides.
        except Exception:
            return 0, 0


def _integer(content: bytes, start: int, length: int) -> int:
    return int.from_bytes(content[start : start + length], 'big')
