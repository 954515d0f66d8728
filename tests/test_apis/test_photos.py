import os
import struct
import sys
import warnings
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import cv2
import numpy as np
import pytest
from PIL import Image

from imcnn_plugin.apis import list_photos, photos, read_photo
from imcnn_plugin.errors import DataError

# Red, green, blue and grey quarters of a picture 20 wide and 12 high, in RGB.
COLORS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [90, 90, 90]]], np.uint8)
PICTURE = COLORS.repeat(6, 0).repeat(10, 1)


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_reads_as_opencv_does(faces):
    for path in sorted((faces / 'img_align_celeba').iterdir())[:3]:
        assert np.array_equal(read_photo(path), cv2.imread(str(path)))


@pytest.mark.parametrize('orientation', range(1, 9))
def test_turns_as_exif_says(orientation, tmp_path):
    stored = Image.fromarray(PICTURE)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / 'a.jpg', stored, exif=exif, quality=100, subsampling=0)
    # OpenCV's reader turns as well.
    expected = cv2.imread(str(path))
    assert expected.shape == ((12, 20, 3) if orientation < 5 else (20, 12, 3))
    assert np.abs(read_photo(path).astype(int) - expected).max() <= 1
    with Image.open(path) as image:
        assert np.abs(read_photo(image).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    'mode, name, expected',
    [
        ('RGB', 'a.png', PICTURE),
        ('RGB', 'a.bmp', PICTURE),
        ('RGB', 'a.webp', PICTURE),
        ('P', 'a.png', PICTURE),
        ('P', 'a.gif', PICTURE),
        ('CMYK', 'a.tif', PICTURE),
        ('CMYK', 'a.jpg', PICTURE),
        ('L', 'a.png', PICTURE @ (0.299, 0.587, 0.114)),
        ('LA', 'a.png', PICTURE @ (0.299, 0.587, 0.114)),
        ('1', 'a.png', 255.0 * (PICTURE @ (0.299, 0.587, 0.114) > 127)),
    ],
)
def test_reads_every_mode(mode, name, expected, tmp_path):
    image = Image.fromarray(PICTURE)
    # Converting to 'P' would take a palette of few colors.
    image = image.quantize() if mode == 'P' else image.convert(mode, dither=Image.Dither.NONE)
    options = dict(lossless=True) if name.endswith('webp') else dict(quality=100) if name.endswith('jpg') else {}
    found = read_photo(save(tmp_path / name, image, **options))
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    expected = np.broadcast_to(expected if expected.ndim == 3 else expected[..., None], PICTURE.shape)[..., ::-1]
    # Away from the seams, where JPEG mixes colors.
    inner = np.abs(found.astype(int) - expected)[[2, 9]][:, [3, 16]]
    assert inner.max() <= (6 if name.endswith('jpg') else 1)


@pytest.mark.parametrize('name', ['a.png', 'a.webp', 'a.tif'])
def test_transparent_is_white(name, tmp_path):
    alpha = np.full((12, 20, 1), 255, np.uint8)
    alpha[:6, :10], alpha[:6, 10:] = 0, 128
    image = Image.fromarray(np.concatenate([PICTURE, alpha], 2))
    found = read_photo(save(tmp_path / name, image, **(dict(lossless=True) if name == 'a.webp' else {})))
    assert found[2, 3].tolist() == [255, 255, 255]
    assert found[2, 16].tolist() == pytest.approx([127, 255, 127], abs=1)
    assert found[9, 3].tolist() == [255, 0, 0]


def test_transparent_palette_is_white(tmp_path):
    image = Image.fromarray(PICTURE).quantize()
    red = image.getpixel((3, 2))
    found = read_photo(save(tmp_path / 'a.png', image, transparency=red))
    assert found[2, 3].tolist() == [255, 255, 255] and found[9, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize('name', ['a.png', 'a.tif'])
def test_sixteen_bits_become_eight(name, tmp_path):
    values = np.arange(0, 240, dtype=np.uint16).reshape(12, 20)
    found = read_photo(save(tmp_path / name, Image.fromarray(values * 257)))
    assert np.array_equal(found, values[..., None].repeat(3, 2))


def test_sixteen_bit_colors_become_eight(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), PICTURE[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(read_photo(tmp_path / 'a.png'), PICTURE[..., ::-1])


@pytest.mark.parametrize('name', ['a.gif', 'a.webp', 'a.png', 'a.tif'])
def test_takes_the_first_of_several_frames(name, tmp_path):
    first, *others = (Image.new('RGB', (8, 8), color) for color in ('red', 'blue', 'green'))
    found = read_photo(save(tmp_path / name, first, save_all=True, append_images=others, duration=50))
    assert np.abs(found.astype(int) - (0, 0, 255)).max() <= 2


def test_arrays_are_as_opencv_reads_them():
    bgr = np.ascontiguousarray(PICTURE[..., ::-1])
    assert np.array_equal(read_photo(bgr), bgr)
    assert np.array_equal(read_photo(bgr.astype(np.uint16) * 257), bgr)
    assert np.array_equal(read_photo(bgr[..., 0]), bgr[..., :1].repeat(3, 2))
    assert np.array_equal(read_photo(bgr[..., :1]), bgr[..., :1].repeat(3, 2))
    assert np.array_equal(read_photo(bgr.astype('>u2') * 257), bgr)
    clear = np.concatenate([bgr, np.zeros((12, 20, 1), np.uint8)], 2)
    assert (read_photo(clear) == 255).all()
    assert np.array_equal(read_photo(Image.fromarray(PICTURE)), bgr)


@pytest.mark.parametrize(
    'array', [np.zeros((2, 8, 8, 3), np.uint8), np.zeros((8, 8, 2), np.uint8), np.zeros((0, 8, 3), np.uint8)]
)
def test_refuses_an_array_of_another_shape(array):
    with pytest.raises(DataError, match='is not a photo: expected \\(H, W\\)'):
        read_photo(array)


def test_refuses_what_is_no_photo():
    with pytest.raises(DataError, match='float64 is not a photo: expected uint8 or uint16'):
        read_photo(np.zeros((8, 8, 3)))
    with pytest.raises(DataError, match='not int'):
        read_photo(1)


def huge_png(width, height):
    """The start of a PNG that would have so many pixels."""

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b''))


# Pillow would have Ghostscript run it, without end.
PROGRAM = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n{} loop\n'


def jpeg(tmp_path):
    return save(tmp_path / 'whole.jpg', Image.fromarray(PICTURE.repeat(20, 0).repeat(20, 1))).read_bytes()


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda folder: None, 'not found'),
        (lambda folder: b'some text', 'Pillow cannot read this file'),
        (lambda folder: b'', 'Pillow cannot read this file'),
        (lambda folder: PROGRAM, 'EPS is not a photo format: convert it to JPEG'),
        (lambda folder: b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'Pillow cannot read this file: '),
        (lambda folder: jpeg(folder)[:900], 'cannot be read .*truncated.*: it may be damaged, copy'),
        (lambda folder: huge_png(20000, 20000), 'too many pixels to decode'),
        (lambda folder: huge_png(200, 200), 'cannot be read .*: it may be damaged, copy'),
    ],
    ids=['missing', 'text', 'empty', 'program', 'heic', 'truncated', 'huge', 'without pixels'],
)
def test_an_unreadable_file_is_one_line_that_names_it(make, message, tmp_path):
    path, contents = tmp_path / 'a.jpg', make(tmp_path)
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(DataError, match=message) as error:
        read_photo(path)
    assert str(error.value).startswith(str(path)) and '\n' not in str(error.value)


def test_large_photos_are_read_without_a_warning(tmp_path, monkeypatch, recwarn):
    # 240 pixels are then more than Pillow warns of and less than it refuses.
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 200)
    assert read_photo(save(tmp_path / 'a.png', Image.fromarray(PICTURE))).shape == (12, 20, 3)
    assert not recwarn.list
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
    with pytest.raises(DataError, match='too many pixels'):
        read_photo(tmp_path / 'a.png')


def test_threads_that_read_leave_the_filters_of_warnings(tmp_path, monkeypatch, recwarn):
    path = save(tmp_path / 'a.png', Image.fromarray(PICTURE))
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 200)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(read_photo, [path] * 2000))) == 2000
    assert warnings.filters == before and not recwarn.list


@pytest.mark.parametrize('pixels', [np.full((8, 8), 0.5, np.float32), np.full((8, 8), 70000, np.int32)])
def test_refuses_pixels_of_unknown_range(pixels, tmp_path):
    with pytest.raises(DataError, match='a.tif: it has 32 bits a pixel'):
        read_photo(save(tmp_path / 'a.tif', Image.fromarray(pixels)))


def test_lists_folders_by_name(tmp_path):
    hidden = ('b/.hidden.jpg', '.Trash-1000/files/7.jpg', 'a/.thumbnails/1.webp')
    for name in ('b/2.jpg', 'b/10.PNG', 'a/1.webp', 'c.heic', 'b/notes.txt', 'a/deep/3.jpg', *hidden):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'a/deep/loop').symlink_to(tmp_path)
    elsewhere = tmp_path.parent / f'{tmp_path.name}_elsewhere'
    elsewhere.mkdir()
    for name in ('4.mpo', '5.jxl', '6.dng', 'film.MP4', 'README'):
        (elsewhere / name).touch()
    (tmp_path / 'a/link').symlink_to(elsewhere)
    left_out = Counter()
    found = [str(path.relative_to(tmp_path)) for path in list_photos(tmp_path, left_out)]
    linked = ['a/link/4.mpo', 'a/link/5.jxl']
    assert found == ['c.heic', 'a/1.webp', 'a/deep/3.jpg', *linked, 'b/10.PNG', 'b/2.jpg']
    assert left_out == {'.dng': 1, '.mp4': 1, 'no suffix': 1, '.txt': 1, 'hidden': 1, 'hidden folders': 2}
    # A file that is named is taken, whatever its name.
    assert list(list_photos(str(tmp_path / 'b/notes.txt'))) == [str(tmp_path / 'b/notes.txt')]
    assert [path.name for path in list_photos(tmp_path / '.Trash-1000')] == ['7.jpg']


def test_a_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    (tmp_path / 'locked').mkdir()
    (tmp_path / 'a.jpg').touch()
    scandir = os.scandir

    def refuse(path):
        if os.path.basename(path) == 'locked':
            raise PermissionError(13, 'Permission denied', str(path))
        return scandir(path)

    # The tests may run as root, who may read every folder.
    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(DataError, match='locked cannot be read .Permission denied.'):
        list(list_photos(tmp_path / 'locked'))
    # Every disk has a lost+found.
    left_out = Counter()
    assert [path.name for path in list_photos(tmp_path, left_out)] == ['a.jpg']
    assert left_out == {'unreadable folders': 1}


def test_a_named_pipe_is_no_photo(tmp_path):
    os.mkfifo(tmp_path / 'a.jpg')
    with pytest.raises(DataError, match='a.jpg: is not a regular file'):
        read_photo(tmp_path / 'a.jpg')


def test_lists_one_by_one(tmp_path):
    array, image = np.zeros((4, 4, 3), np.uint8), Image.new('L', (4, 4))

    def endless():
        yield array
        yield image
        while True:
            yield 'a.jpg'

    photos = list_photos(endless())
    assert next(photos) is array and next(photos) is image and next(photos) == 'a.jpg'
    assert list(list_photos(array)) == [array] and list(list_photos(image)) == [image]


def test_an_empty_folder_is_an_error(tmp_path):
    (tmp_path / 'a.txt').touch()
    with pytest.raises(DataError, match='no photo is in this folder'):
        list(list_photos(tmp_path))


def test_an_image_that_is_opened_and_cut_off_is_refused(tmp_path):
    (tmp_path / 'a.jpg').write_bytes(jpeg(tmp_path)[:900])
    with (
        Image.open(tmp_path / 'a.jpg') as image,
        pytest.raises(DataError, match='the image cannot be read .*truncated'),
    ):
        read_photo(image)


def test_an_image_that_is_opened_and_damaged_or_closed_is_refused(tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(64, 64), dtype=np.uint8)
    content = save(tmp_path / 'a.png', Image.fromarray(pixels)).read_bytes()
    # Where the second chunk ends, which a length says, Pillow raises a SyntaxError.
    position = content.index(b'IDAT')
    (tmp_path / 'b.png').write_bytes(content[: position - 4] + struct.pack('>I', 100) + content[position:])
    with (
        Image.open(tmp_path / 'b.png') as image,
        pytest.raises(DataError, match='the image cannot be read .*broken PNG'),
    ):
        read_photo(image)
    with Image.open(tmp_path / 'a.png') as image:
        pass
    with pytest.raises(DataError, match='the image cannot be read'):
        read_photo(image)


# Red, green and blue as XYZ under D50, a column each.
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
GAMMA = 2.19921875


def color_profile(name=b'Adobe RGB (1998)'):
    """An ICC profile of version 2 with these primaries."""

    def xyz(values):
        return b'XYZ ' + bytes(4) + struct.pack('>3i', *(round(value * 65536) for value in values))

    curve = b'curv' + bytes(4) + struct.pack('>IH', 1, round(GAMMA * 256)) + bytes(2)
    tags = {
        b'desc': b'desc' + bytes(4) + struct.pack('>I', len(name) + 1) + name + bytes(1 + 8 + 70),
        b'cprt': b'text' + bytes(4) + b'none\0',
        b'wtpt': xyz([0.9642, 1, 0.8249]),
        **{channel + b'XYZ': xyz(ADOBE[:, i]) for i, channel in enumerate((b'r', b'g', b'b'))},
        **{channel + b'TRC': curve for channel in (b'r', b'g', b'b')},
    }
    table, content = struct.pack('>I', len(tags)), b''
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += tag + struct.pack('>II', 128 + 4 + 12 * len(tags) + len(content), len(value))
        content += value
    header = struct.pack('>I4sI4s4s4s', 128 + len(table + content), b'none', 0x02400000, b'mntr', b'RGB ', b'XYZ ')
    header += bytes(12) + b'acsp' + bytes(28) + struct.pack('>3i', 63190, 65536, 54061)
    return header.ljust(128, b'\0') + table + content


@pytest.mark.parametrize('mode, name', [('RGB', 'a.png'), ('RGB', 'a.jpg'), ('RGBA', 'a.png'), ('P', 'a.png')])
def test_colors_are_those_of_the_profile(mode, name, tmp_path):
    # Within sRGB, so that nothing is clipped.
    picture = (PICTURE // 4 + 120).astype(np.uint8)
    linear = (picture / 255) ** GAMMA @ (np.linalg.inv(SRGB) @ ADOBE).T
    assert linear.min() > 0 and linear.max() < 1
    expected = 255 * np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(expected - picture).max() > 8
    image = Image.fromarray(picture)
    image = image.quantize() if mode == 'P' else image.convert(mode)
    options = dict(quality=100, subsampling=0) if name.endswith('jpg') else {}
    path = save(tmp_path / name, image, icc_profile=color_profile(), **options)
    assert np.abs(read_photo(path)[..., ::-1] - expected).max() < 4
    with Image.open(path) as image:
        assert np.abs(read_photo(image)[..., ::-1] - expected).max() < 4


@pytest.mark.parametrize('profile', [b'none', color_profile()[:200], color_profile(b'sRGB IEC61966-2.1')])
def test_a_damaged_profile_and_that_of_srgb_change_nothing(profile, tmp_path):
    path = save(tmp_path / 'a.png', Image.fromarray(PICTURE), icc_profile=profile)
    assert np.array_equal(read_photo(path)[..., ::-1], PICTURE)


def test_linear_srgb_is_converted(tmp_path):
    path = save(tmp_path / 'a.png', Image.fromarray(PICTURE), icc_profile=color_profile(b'Linear sRGB'))
    other = save(tmp_path / 'b.png', Image.fromarray(PICTURE), icc_profile=color_profile())
    assert np.array_equal(read_photo(path), read_photo(other))


def test_a_profile_of_another_kind_of_pixels_changes_nothing(tmp_path):
    path = save(tmp_path / 'a.png', Image.fromarray(PICTURE[..., 0]), icc_profile=color_profile())
    assert np.array_equal(read_photo(path)[..., 0], PICTURE[..., 0])


def test_heic_photos_are_read_if_the_package_is_there(tmp_path, monkeypatch):
    pillow_heif = pytest.importorskip('pillow_heif', reason="pillow-heif is missing: pip install 'imcnn_plugin[heic]'")
    image = np.full((48, 64, 3), 90, np.uint8)
    image[:20, :30] = (200, 60, 20)
    path = tmp_path / 'photo.heic'
    pillow_heif.from_pillow(Image.fromarray(image)).save(path, quality=95)
    # As in another process, in which nothing is registered yet.
    monkeypatch.setattr(Image, 'OPEN', {name: value for name, value in Image.OPEN.items() if name != 'HEIF'})
    monkeypatch.setattr(Image, 'ID', [name for name in Image.ID if name != 'HEIF'])
    monkeypatch.setattr(photos, 'register_heic', cache(photos.register_heic.__wrapped__))
    monkeypatch.setitem(sys.modules, 'pillow_heif', None)
    with pytest.raises(
        DataError, match=r"photo.heic: Pillow cannot read this file: pip install 'imcnn_plugin\[heic\]'"
    ):
        read_photo(path)
    monkeypatch.setitem(sys.modules, 'pillow_heif', pillow_heif)
    photos.register_heic.cache_clear()
    assert np.abs(read_photo(path)[..., ::-1].astype(int) - image).mean() < 3
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match='photo.heic: cannot be read'):
        read_photo(path)
