"""Reads images of any format into the pixels that a viewer shows."""

import io
import logging
import os
import threading
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Iterable, Iterator, Optional, Tuple, Type, Union

import cv2
import numpy as np
import torch
from mmengine.logging import print_log
from PIL import ExifTags, Image, ImageCms, ImageOps

from ..datasets.image_file import PNG_SIGNATURE, scan_png
from ..errors import DataError, one_line

PhotoType = Union[str, Path, bytes, BinaryIO, np.ndarray, torch.Tensor, Image.Image]

# Formats that are decoded, by Pillow's names. For some others it would run programs, such as Ghostscript for EPS.
_FORMATS = set('JPEG MPO PNG BMP DIB WEBP TIFF GIF PPM JPEG2000 AVIF HEIF'.split())
# Suffixes of photos in a folder. Formats that Pillow may lack are included, so that they are reported.
_SUFFIXES = set(
    '.jpg .jpeg .jpe .jfif .png .bmp .webp .tif .tiff .gif .ppm .pgm .jp2 .jxl .mpo .avif .heic .heif'.split()
)
# Bytes 4 to 12 of a HEIC file.
_HEIC_BRANDS = tuple(b'ftyp' + brand for brand in (b'heic', b'heix', b'hevc', b'heim', b'heis', b'mif1', b'msf1'))
_DAMAGED = 'it may be damaged, copy or download it again'
# Warning filters belong to the process: if two threads change them, one would restore the other's.
_FILTERING = threading.Lock()


def list_photos(inputs: Union[PhotoType, Iterable[PhotoType]], left_out: Optional[Counter] = None) -> Iterator:
    """Yields photos one by one; folders are replaced by the photos in them and in their subfolders, sorted by name.

    Args:
        inputs: A photo as :func:`read_photo` takes it, a folder, or an iterable of these, which may be a generator.
        left_out: Counts the other files in folders, by the suffix of their name or as 'hidden', and 'hidden folders',
            whose names begin with a dot, and 'unreadable folders'.

    Raises:
        DataError: There is no photo, or a folder has none or cannot be read.
    """
    if is_single(inputs):
        inputs = [inputs]
    empty = True
    for item in inputs:
        empty = False
        if isinstance(item, (str, Path)) and os.path.isdir(item):
            yield from _list_folder(item, Counter() if left_out is None else left_out)
        else:
            yield item
    if empty:
        raise DataError('there are no photos: give paths, folders, arrays or PIL.Images')


def is_single(inputs: Any) -> bool:
    """Whether inputs are one photo or folder, rather than an iterable of them."""
    # A tensor and an open file are iterable themselves.
    single = (str, Path, bytes, np.ndarray, torch.Tensor, Image.Image)
    return isinstance(inputs, single) or hasattr(inputs, 'read') or not isinstance(inputs, Iterable)


def _list_folder(folder: Union[str, Path], left_out: Counter) -> Iterator[Path]:
    empty, seen = True, set()

    def leave_out(error: OSError) -> None:
        message = f'{error.filename} cannot be read ({error.strerror})'
        if os.fspath(error.filename) == os.fspath(folder):
            raise DataError(message)
        # Such as lost+found, which every disk has.
        left_out['unreadable folders'] += 1
        print_log(f'{message}: its photos are left out.', 'current', logging.WARNING)

    for parent, folders, names in os.walk(folder, followlinks=True, onerror=leave_out):
        # A link may lead to a folder above it.
        if (real := os.path.realpath(parent)) in seen:
            folders.clear()
            continue
        seen.add(real)
        # Such as the trash, and the thumbnails of other programs.
        hidden = [name for name in folders if name.startswith('.')]
        if hidden:
            left_out['hidden folders'] += len(hidden)
        folders[:] = sorted({*folders} - {*hidden})
        for name in sorted(names):
            suffix = 'hidden' if name.startswith('.') else Path(name).suffix.lower()
            if suffix in _SUFFIXES:
                empty = False
                yield Path(parent, name)
            else:
                left_out[suffix or 'no suffix'] += 1
    if empty:
        raise DataError(f'{folder}: no photo is in this folder (looked for {", ".join(sorted(_SUFFIXES))})')


def read_photo(photo: PhotoType) -> np.ndarray:
    """Reads a photo as uint8 BGR ``(H, W, 3)``, as OpenCV and mmcv do.

    A file is rotated according to its EXIF tag, and converted to sRGB if it has a color profile. The first frame of an
    animation is used, transparency is composited onto white, and 16 bits become 8.

    Args:
        photo: The path or the content of a file, or a file opened in binary mode, read from its current position; a
            ``PIL.Image``; an array as OpenCV reads it, uint8 or uint16, ``(H, W)`` gray, ``(H, W, 3)`` BGR or
            ``(H, W, 4)`` BGRA; or a tensor as torchvision reads it, ``(1, H, W)`` gray, ``(3, H, W)`` RGB or
            ``(4, H, W)`` RGBA, uint8 or of floats from 0 to 1.

    Raises:
        DataError: It cannot be read, or has more pixels than Pillow is set to decode (``MAX_IMAGE_PIXELS`` x 2).
    """
    return read_reduced(photo)[0]


def read_reduced(photo: PhotoType, pixels: Optional[float] = None) -> Tuple[np.ndarray, Tuple[int, int]]:
    """:func:`read_photo` for a use that needs no more pixels than this, with the photo's height and width.

    A JPEG file with more pixels is decoded at half, a quarter or an eighth of its height and width, whichever still
    has enough pixels, which takes less time.
    """
    if isinstance(photo, (np.ndarray, torch.Tensor)):
        image = _from_array(photo) if isinstance(photo, np.ndarray) else _from_tensor(photo)
        return image, image.shape[:2]
    if isinstance(photo, Image.Image):
        try:
            image = _from_pil(photo)
        except DataError:
            raise
        # An open file is decoded here; each of Pillow's readers has its own exceptions.
        except Exception as error:
            raise DataError(f'the image cannot be read ({one_line(error)})') from error
        return image, image.shape[:2]
    name = str(photo) if isinstance(photo, (str, Path)) else 'the photo'
    try:
        content = _read_content(photo)
        if content[4:12] in _HEIC_BRANDS:
            register_heic()
        # Pillow warns above 89 million pixels and raises above 179 million, before it decodes anything.
        with _ignored_warnings(Image.DecompressionBombWarning):
            image = Image.open(io.BytesIO(content))
        with image:
            if image.format not in _FORMATS:
                raise DataError(f'{image.format} is not a photo format: convert it to JPEG or PNG')
            # Pillow does not verify the checksums of a PNG's pixels.
            if content.startswith(PNG_SIGNATURE) and (damage := scan_png(content)[0]):
                raise DataError(f'cannot be read ({damage}): {_DAMAGED}')
            width, height = image.size
            if pixels is not None and pixels < width * height:
                # Rounded down: for a size that is one pixel larger, Pillow would decode four times the pixels.
                shrink = (pixels / (width * height)) ** 0.5
                image.draft(None, (max(1, int(width * shrink)), max(1, int(height * shrink))))
            reduced, found = image.size, _from_pil(image)
        # If it is rotated by its EXIF tag, height and width are swapped.
        return found, (height, width) if found.shape[1::-1] == reduced else (width, height)
    except FileNotFoundError:
        raise DataError(f'{name} not found') from None
    except DataError as error:
        if not isinstance(photo, (str, Path)):
            raise
        raise DataError(f'{name}: {error}') from error
    except Image.DecompressionBombError as error:
        raise DataError(f'{name}: too many pixels to decode: shrink it ({error})') from error
    except Image.UnidentifiedImageError:
        raise DataError(f'{name}: Pillow cannot read this file: {_advice(content)}') from None
    # Each of Pillow's readers has its own exceptions for damaged files.
    except Exception as error:
        raise DataError(f'{name}: cannot be read ({" ".join(str(error).split())}): {_DAMAGED}') from error


def _read_content(photo: Union[str, Path, bytes, BinaryIO]) -> bytes:
    if isinstance(photo, (str, Path)):
        # Reading a named pipe would wait for its writer.
        if os.path.exists(photo) and not os.path.isfile(photo):
            raise DataError('is not a regular file')
        return Path(photo).read_bytes()
    content = photo.read() if hasattr(photo, 'read') else photo
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        raise DataError("the file is open as text: open it with the mode 'rb'")
    raise DataError(
        'a photo is a path, the bytes of a file, an open file, an array, a tensor or a PIL.Image, not '
        f'{type(content).__name__}: give the path of its file, or open it with PIL'
    )


def read_rgb(photo: PhotoType) -> np.ndarray:
    """:func:`read_photo` as uint8 RGB ``(H, W, 3)``, for viewers."""
    return cv2.cvtColor(read_photo(photo), cv2.COLOR_BGR2RGB)


def _from_pil(image: Image.Image) -> np.ndarray:
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == 'I' and 0 <= image.getextrema()[0] and image.getextrema()[1] < 2**16:
        image = image.convert('I;16')
    if image.mode.startswith('I;16'):
        return _from_array(np.asarray(image))
    if image.mode in ('I', 'F'):
        raise DataError('it has 32 bits a pixel, of which the white level is unknown: save it with 8 or 16')
    if image.has_transparency_data:
        image = _to_srgb(image.convert('RGBA'))
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    else:
        image = _to_srgb(image.convert('RGB') if image.mode == 'P' else image)
    return cv2.cvtColor(np.asarray(image if image.mode == 'RGB' else image.convert('RGB')), cv2.COLOR_RGB2BGR)


def _to_srgb(image: Image.Image) -> Image.Image:
    """Converts an image with an embedded color profile, such as a phone's Display P3; others count as sRGB."""
    profile = image.info.get('icc_profile')
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).lower()
        # Linear sRGB is another color space.
        if 'srgb' in name and 'linear' not in name:
            return image
        mode = 'RGBA' if image.mode == 'RGBA' else 'RGB'
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile('sRGB'), outputMode=mode)
    # Viewers also ignore a profile that is damaged or for another color mode.
    except (ImageCms.PyCMSError, OSError):
        return image


def _from_array(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise DataError(f'an array of shape {image.shape} is not a photo: expected (H, W), (H, W, 3) or (H, W, 4)')
    # In either byte order.
    if image.dtype.kind == 'u' and image.dtype.itemsize == 2:
        image = (image // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise DataError(f'an array of {image.dtype} is not a photo: expected uint8 or uint16')
    if image.shape[2] == 4:
        alpha = image[..., 3:] / 255
        image = (image[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


def _from_tensor(image: torch.Tensor) -> np.ndarray:
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4) or not image.numel():
        raise DataError(
            f'a tensor of shape {tuple(image.shape)} is not a photo: expected (3, H, W) RGB, (1, H, W) or (4, H, W); '
            'give a batch as a list'
        )
    if image.is_floating_point():
        if not (image.min() >= 0 and image.max() <= 1):
            raise DataError('a tensor of floats is a photo if they are from 0 to 1: divide it by 255, or give uint8')
        image = image.float().mul(255).round().byte()
    if image.dtype != torch.uint8:
        raise DataError(f'a tensor of {image.dtype} is not a photo: expected uint8, or floats from 0 to 1')
    image = image.detach().cpu().permute(1, 2, 0).numpy()
    return _from_array(image[..., [2, 1, 0, 3][: image.shape[2]]] if image.shape[2] > 1 else image)


@cache
def register_heic() -> bool:
    """Lets Pillow read HEIC files if pillow-heif is installed; returns whether it is."""
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
        return True
    return False


def _advice(content: bytes) -> str:
    """What to do about a file that Pillow cannot read."""
    if content[4:12] in _HEIC_BRANDS and not register_heic():
        return "pip install 'imcnn_plugin[heic]', or convert it to JPEG"
    return 'convert it to JPEG or PNG'


@contextmanager
def _ignored_warnings(category: Type[Warning]) -> Iterator[None]:
    with _FILTERING, warnings.catch_warnings():
        warnings.simplefilter('ignore', category)
        yield
