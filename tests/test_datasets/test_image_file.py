import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from imcnn_plugin.datasets.image_file import UnreadableImage, find_corruption, read_image


def encoded(kind, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((80, 100), Image.Resampling.BILINEAR).save(buffer, kind, **options)
    return buffer.getvalue()


def with_thumbnail(jpeg):
    """Puts another JPEG, with an end of its own, into a segment before the scan."""
    thumbnail = encoded('JPEG')
    return jpeg[:2] + b'\xff\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail + jpeg[2:]


JPEGS = dict(
    baseline=encoded('JPEG'),
    progressive=encoded('JPEG', progressive=True),
    restart_markers=encoded('JPEG', restart_marker_rows=1),
    thumbnail=with_thumbnail(encoded('JPEG')),
)


def pillow_reads(content):
    try:
        Image.open(io.BytesIO(content)).load()
    except (OSError, SyntaxError, UnidentifiedImageError):
        return False
    return True


@pytest.mark.parametrize('name', JPEGS)
def test_a_jpeg_that_is_cut_off_anywhere_is_known(name):
    """As Pillow knows it, which decodes to find out."""
    content = JPEGS[name]
    assert find_corruption(content) is None and find_corruption(content + b'\0\0') is None
    for length in range(2, len(content)):
        assert find_corruption(content[:length]) == f'JPEG cut off after {length} bytes'
        assert length % 97 or not pillow_reads(content[:length])
    # As a download leaves it that reserves the space first.
    assert find_corruption(content[:-200] + bytes(200))


def test_a_png_that_is_cut_off_is_known():
    content = encoded('PNG')
    assert find_corruption(content) is None
    for length in range(8, len(content)):
        assert find_corruption(content[:length]) == f'PNG cut off after {length} bytes'


def chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


HUGE = b''.join(
    [
        b'\x89PNG\r\n\x1a\n',
        chunk(b'IHDR', struct.pack('>IIBBBBB', 50000, 50000, 8, 2, 0, 0, 0)),
        chunk(b'IDAT', zlib.compress(bytes(100))),
        chunk(b'IEND', b''),
    ]
)


@pytest.mark.parametrize(
    'content, reason',
    [
        (None, 'missing'),
        (b'', 'empty file'),
        (JPEGS['baseline'][:-2], r'JPEG cut off after \d+ bytes'),
        (b'<html>', '6 bytes that OpenCV cannot decode'),
        (HUGE, 'more than 178956970 pixels'),
    ],
)
def test_unreadable_files_are_rejected_with_the_reason(tmp_path, content, reason):
    if content is not None:
        (tmp_path / 'a.jpg').write_bytes(content)
    with pytest.raises(UnreadableImage, match=f'^{reason}'):
        read_image(str(tmp_path / 'a.jpg'))


def test_a_folder_in_place_of_a_file_is_rejected(tmp_path):
    with pytest.raises(UnreadableImage, match='^Is a directory$'):
        read_image(str(tmp_path))
