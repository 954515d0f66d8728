"""Reads image files, and knows which of them are damaged."""

import io
import warnings
import zlib
from typing import Optional, Tuple

import cv2
import mmcv
import numpy as np
from PIL import Image

PNG = b'\x89PNG\r\n\x1a\n'
PNG_HEAD, PNG_END = b'IHDR', b'IEND'
JPEG = b'\xff\xd8'
JPEG_END = b'\xff\xd9'
JPEG_SCAN = 0xDA
# Segments that say how large the image is.
JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Where Pillow refuses as well. A small file may say that it has a billion, and fill the memory.
MAX_PIXELS = 178_956_970


class UnreadableImage(Exception):
    """Says why."""


def read_face(path: str, size: int) -> np.ndarray:
    """Reads an image as ``LoadFaceFromFile`` and ``Resize(scale=(size, size), interpolation='area')`` do.

    Returns:
        uint8 BGR ``(size, size, 3)``.

    Raises:
        UnreadableImage: See :func:`read_image`.
    """
    return mmcv.imresize(read_image(path), (size, size), interpolation='area', backend='cv2')


def read_image(path: str) -> np.ndarray:
    """Reads an image as ``LoadImageFromFile`` does, but a file that is damaged is an error.

    OpenCV does not compare a PNG's checksums, and its older versions read a JPEG that is cut off as if the rest were
    grey, so both are looked for in the bytes. That takes 6 to 10 % of the time of decoding, where a second decoder
    that is stricter, such as Pillow's, would double it. Damage in the middle of a JPEG, which has no checksum, is
    mostly seen by nobody.

    Returns:
        uint8 BGR ``(H, W, 3)``.

    Raises:
        UnreadableImage: The file is missing, empty, cut off, damaged, no image or too large.
    """
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except FileNotFoundError:
        raise UnreadableImage('missing') from None
    except (OSError, ValueError) as error:
        # A name with a zero in it is a ValueError.
        raise UnreadableImage(getattr(error, 'strerror', None) or str(error)) from error
    if reason := why_not_whole(content):
        raise UnreadableImage(reason)
    try:
        image = mmcv.imfrombytes(content, flag='color', backend='cv2')
    except cv2.error as error:
        raise UnreadableImage(f'OpenCV refuses it: {" ".join(error.err.split())}') from error
    if image is None:
        raise UnreadableImage(f'{len(content)} bytes that OpenCV cannot decode')
    return image


def why_not_whole(content: bytes) -> Optional[str]:
    """Says what is wrong with a file's bytes, if anything. Of formats but JPEG and PNG it knows the size alone."""
    if not content:
        return 'empty file'
    if content.startswith(JPEG):
        whole, size = scan_jpeg(content)
        damage = None if whole else f'JPEG cut off after {len(content)} bytes'
    elif content.startswith(PNG):
        damage, size = scan_png(content)
    else:
        damage, size = None, size_of(content)
    if size[0] * size[1] > MAX_PIXELS:
        return f'more than {MAX_PIXELS} pixels'
    return damage


def scan_jpeg(content: bytes) -> Tuple[bool, Tuple[int, int]]:
    """Whether the end marker follows the scan; and width and height, 0 where nothing says.

    Segments before the scan are skipped by their lengths, as one may hold a thumbnail with an end of its own. In the
    scan, a byte FF that begins no marker is followed by 00.
    """
    position, size = len(JPEG), (0, 0)
    while content[position : position + 1] == b'\xff' and position + 1 < len(content):
        marker = content[position + 1]
        if marker == 0xFF:
            # A marker may be filled up with these.
            position += 1
            continue
        if marker in JPEG_FRAMES:
            size = number(content, position + 7, 2), number(content, position + 5, 2)
        position += 2 + number(content, position + 2, 2)
        if marker == JPEG_SCAN:
            return content.find(JPEG_END, position) >= 0, size
    return False, size


def scan_png(content: bytes) -> Tuple[Optional[str], Tuple[int, int]]:
    """Which part is damaged or missing, if any; and width and height, 0 where nothing says."""
    position, size = len(PNG), (0, 0)
    while position + 12 <= len(content):
        kind, end = content[position + 4 : position + 8], position + 8 + number(content, position, 4)
        if end + 4 > len(content):
            break
        if zlib.crc32(content[position + 4 : end]) != number(content, end, 4):
            return f'PNG damaged in the part {kind!r} at byte {position}', size
        if kind == PNG_HEAD:
            size = number(content, position + 8, 4), number(content, position + 12, 4)
        if kind == PNG_END:
            return None, size
        position = end + 4
    return f'PNG cut off after {len(content)} bytes', size


def size_of(content: bytes) -> Tuple[int, int]:
    """Width and height, 0 where Pillow knows no such format."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content)) as image:
                return image.size
        except Image.DecompressionBombError:
            return MAX_PIXELS, 2
        # What Pillow raises of a damaged file is of many types, and OpenCV has the last word.
        except Exception:
            return 0, 0


def number(content: bytes, start: int, length: int) -> int:
    return int.from_bytes(content[start : start + length], 'big')
