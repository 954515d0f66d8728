"""Reads image files for a pack, and knows which of them are damaged."""

from typing import Optional

import cv2
import mmcv
import numpy as np

PNG = b'\x89PNG\r\n\x1a\n'
JPEG = b'\xff\xd8'
PNG_END = b'IEND\xae\x42\x60\x82'
JPEG_END = b'\xff\xd9'
JPEG_SCAN = b'\xda'


class UnreadableImage(Exception):
    """Says why."""


def read_face(path: str, size: int) -> np.ndarray:
    """Reads an image as ``LoadImageFromFile`` and ``Resize(scale=(size, size), interpolation='area')`` do.

    Older versions of OpenCV read a file that is cut off as if the rest were grey, so the end is looked for in the
    bytes. That takes 3 % of the time of decoding, where a second decoder that is stricter, such as Pillow's, would
    double it. Damage in the middle of a JPEG, which leaves its end in place, is seen by neither.

    Returns:
        uint8 BGR ``(size, size, 3)``.

    Raises:
        UnreadableImage: The file is missing, empty, cut off, no image or too large for OpenCV.
    """
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except FileNotFoundError:
        raise UnreadableImage('missing') from None
    except OSError as error:
        raise UnreadableImage(error.strerror) from error
    if reason := why_not_whole(content):
        raise UnreadableImage(reason)
    try:
        image = mmcv.imfrombytes(content, flag='color', backend='cv2')
    except cv2.error as error:
        raise UnreadableImage(f'OpenCV refuses it: {error.err.strip()}') from error
    if image is None:
        raise UnreadableImage(f'{len(content)} bytes that OpenCV cannot decode')
    return mmcv.imresize(image, (size, size), interpolation='area', backend='cv2')


def why_not_whole(content: bytes) -> Optional[str]:
    """Says what is missing of a file's bytes, if anything. Of other formats than JPEG and PNG it knows nothing."""
    if not content:
        return 'empty file'
    if content.startswith(JPEG) and not has_jpeg_end(content):
        return f'JPEG cut off after {len(content)} bytes'
    if content.startswith(PNG) and PNG_END not in content:
        return f'PNG cut off after {len(content)} bytes'
    return None


def has_jpeg_end(content: bytes) -> bool:
    """Whether the end marker follows the scan.

    Segments before the scan are skipped by their lengths, as one may hold a thumbnail with an end of its own. In the
    scan, a byte FF that begins no marker is followed by 00.
    """
    position = len(JPEG)
    while content[position : position + 1] == b'\xff':
        marker = content[position + 1 : position + 2]
        if marker == b'\xff':
            # A marker may be filled up with these.
            position += 1
            continue
        position += 2 + int.from_bytes(content[position + 2 : position + 4], 'big')
        if marker == JPEG_SCAN:
            return content.find(JPEG_END, position) >= 0
    return False
