"""Images and photos: the pixels are those of another decoder, or the file is rejected by name."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imcnn_plugin.apis import read_photo
from imcnn_plugin.datasets.image_file import MAX_PIXELS
from imcnn_plugin.datasets.load_face_from_file import LoadFaceFromFile
from imcnn_plugin.errors import DataError

FUZZ = settings.get_profile('fuzz')
TIMES = FUZZ.max_examples
PIXELS = cv2.resize(np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8), (24, 30))
MODES = ('RGB', 'L', 'RGBA', 'LA', 'P', '1', 'CMYK', 'I;16')
KINDS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'TIFF', 'GIF')
SUFFIX = dict(JPEG='.jpg')


def encode(kind, mode='RGB', pixels=PIXELS, **options):
    """A file of an image, whose mode becomes one that the kind of file has."""
    image = Image.fromarray(pixels)
    if mode == 'I;16':
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    elif mode != 'RGB':
        image = image.convert('RGB' if mode == 'LA' else mode)
        image = image.convert('LA') if mode == 'LA' else image
        if mode in ('RGBA', 'LA'):
            image.putalpha(Image.fromarray(pixels[..., 1]))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


FILES = {
    'baseline.jpg': encode('JPEG'),
    'progressive.jpg': encode('JPEG', progressive=True),
    'cmyk.jpg': encode('JPEG', 'CMYK'),
    'rgb.png': encode('PNG'),
    'rgba.png': encode('PNG', 'RGBA'),
    'palette.png': encode('PNG', 'P'),
    '16_bit.png': encode('PNG', 'I;16'),
    'rgb.webp': encode('WEBP'),
    'rgb.bmp': encode('BMP'),
    'rgb.tif': encode('TIFF'),
    'rgb.gif': encode('GIF'),
    'page.jpg': b'<!DOCTYPE html><html><body>Quota exceeded</body></html>',
    'empty.jpg': b'',
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('images')


def load(path):
    return LoadFaceFromFile().transform(dict(img_path=str(path)))['img']


@settings(FUZZ, max_examples=60 * TIMES)
@given(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_bytes_of_an_image(folder, mutate, attempt, name, data):
    content = mutate(data, FILES[name])
    (folder / name).write_bytes(content)
    image = attempt(folder / name, load, folder / name)
    if image is None:
        return
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
    if name.endswith('.png') and content.startswith(b'\x89PNG'):
        # Its checksums say whether anything was changed.
        assert np.array_equal(image, cv2.imdecode(np.frombuffer(FILES[name], np.uint8), cv2.IMREAD_COLOR))


@settings(FUZZ, max_examples=40 * TIMES)
@given(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_bytes_of_a_photo(folder, mutate, attempt, name, data):
    content = mutate(data, FILES[name])
    (folder / name).write_bytes(content)
    image = attempt(folder / name, read_photo, folder / name)
    if image is None:
        return
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
    if name.endswith('.png') and content.startswith(b'\x89PNG'):
        assert np.array_equal(image, read_photo(Image.open(io.BytesIO(FILES[name]))))


def oriented(kind, number):
    exif = Image.Exif()
    exif[0x0112] = number
    return encode(kind, exif=exif)


@settings(FUZZ, max_examples=20 * TIMES)
@given(
    kind=st.sampled_from(['PNG', 'BMP', 'TIFF']),
    mode=st.sampled_from(MODES),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_forms_of_an_image(folder, kind, mode, width, height, seed):
    """Files without loss: Pillow and OpenCV find the same pixels, without their transparency."""
    if kind == 'BMP' and mode in ('LA', 'CMYK', 'I;16') or kind == 'PNG' and mode == 'CMYK':
        mode = 'RGB'
    if kind == 'TIFF' and mode in ('CMYK', 'LA'):
        mode = 'L'
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    content = encode(kind, mode, pixels)
    path = folder / f'form{SUFFIX.get(kind, "." + kind.lower())}'
    path.write_bytes(content)
    image = Image.open(io.BytesIO(content))
    if mode == 'I;16':
        plain = np.repeat((np.asarray(image) // 257).astype(np.uint8)[..., None], 3, 2)
    else:
        plain = np.asarray(image.convert('RGBA' if mode in ('RGBA', 'LA') else 'RGB'))
        if kind == 'TIFF' and mode == 'RGBA':
            # Of this format OpenCV puts what is transparent on black.
            plain = ((plain.astype(int) * plain[..., 3:] + 127) // 255).astype(np.uint8)
        plain = plain[..., 2::-1]
    assert np.array_equal(load(path), plain)
    if mode not in ('RGBA', 'LA'):
        assert np.array_equal(read_photo(path), plain)


@settings(FUZZ, max_examples=10 * TIMES)
@given(kind=st.sampled_from(['JPEG', 'PNG', 'TIFF', 'WEBP']), number=st.integers(0, 9))
def test_turned_images(folder, kind, number):
    path = folder / f'turned.{kind.lower()}'
    path.write_bytes(oriented(kind, number))
    plain = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert('RGB'))[..., ::-1]
    assert np.array_equal(read_photo(path), plain)
    if kind in ('JPEG', 'PNG'):
        image = load(path)
        assert image.shape == plain.shape and np.abs(image.astype(int) - plain).mean() < 2


def chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


def huge(kind, width, height):
    """A small file that says that it is large."""
    if kind == 'PNG':
        head = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
        return b'\x89PNG\r\n\x1a\n' + head + chunk(b'IDAT', zlib.compress(bytes(99))) + chunk(b'IEND', b'')
    if kind == 'JPEG':
        content = encode('JPEG')
        place = content.index(b'\xff\xc0') + 5
        return content[:place] + struct.pack('>HH', min(height, 65535), min(width, 65535)) + content[place + 4 :]
    content = encode(kind)
    place, form = dict(BMP=(18, '<ii'), GIF=(6, '<HH'))[kind]
    if kind == 'GIF':
        width, height = min(width, 65535), min(height, 65535)
    return content[:place] + struct.pack(form, width, height) + content[place + struct.calcsize(form) :]


@settings(FUZZ, max_examples=10 * TIMES)
@given(
    kind=st.sampled_from(['PNG', 'JPEG', 'BMP', 'GIF']),
    width=st.integers(20_000, 2**31 - 1),
    height=st.integers(20_000, 2**31 - 1),
)
def test_images_that_say_that_they_are_large(folder, kind, width, height):
    path = folder / 'huge.jpg'
    path.write_bytes(huge(kind, width, height))
    assert 20_000**2 > MAX_PIXELS
    for read in (load, read_photo):
        with pytest.raises(DataError, match='huge.jpg') as error:
            read(path)
        assert '\n' not in str(error.value)


@settings(FUZZ, max_examples=15 * TIMES)
@given(
    shape=st.lists(st.integers(0, 5), max_size=5),
    kind=st.sampled_from(['u1', 'u2', 'i1', 'i4', 'f4', 'f8', 'b1', 'c8', 'O', 'S3']),
)
def test_arrays_in_place_of_photos(attempt, shape, kind):
    image = attempt('', read_photo, np.zeros(shape, kind))
    right = kind in ('u1', 'u2') and 0 not in shape and (len(shape) == 2 or len(shape) == 3 and shape[2] in (1, 3, 4))
    assert (image is not None) == right
    if right:
        assert image.shape == (*shape[:2], 3) and image.dtype == np.uint8


@pytest.mark.parametrize('name', ['rgb.png', 'palette.png'])
def test_a_flipped_bit_of_a_png_is_found(folder, attempt, name):
    path, content = folder / name, FILES[name]
    for place in range(8, len(content), 13):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        assert attempt(path, load, path) is None and attempt(path, read_photo, path) is None, place
