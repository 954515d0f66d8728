"""Any picture that a user may have, as the pixels that a viewer shows."""

import io
import os
import warnings
from pathlib import Path
from typing import Iterable, Iterator, Sequence, Union

import numpy as np
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS
from PIL import Image, ImageOps

from ..datasets.face_file import PNG, scan_png
from ..errors import DataError

PhotoType = Union[str, Path, np.ndarray, Image.Image]

# What is decoded, by Pillow's names. Of others it would run some as programs: EPS, in Ghostscript.
FORMATS = set('JPEG MPO PNG BMP DIB WEBP TIFF GIF PPM JPEG2000 AVIF HEIF'.split())
# Of a folder, what is taken for a photo. Formats that Pillow may lack are among them, so that they are reported.
SUFFIXES = set('.jpg .jpeg .jpe .jfif .png .bmp .webp .tif .tiff .gif .ppm .pgm .jp2 .avif .heic .heif'.split())


def list_photos(inputs: Union[PhotoType, Iterable[PhotoType]]) -> Iterator[PhotoType]:
    """Photos one by one, with folders replaced by the photos in them and their subfolders, in the order of names.

    Args:
        inputs: A path, a folder, an array, a ``PIL.Image``, or an iterable of these, which may be a generator.

    Raises:
        DataError: A folder has no photo.
    """
    if isinstance(inputs, (str, Path, np.ndarray, Image.Image)):
        inputs = [inputs]
    for item in inputs:
        if isinstance(item, (str, Path)) and os.path.isdir(item):
            yield from list_folder(item)
        else:
            yield item


def list_folder(folder: Union[str, Path]) -> Iterator[Path]:
    empty = True
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith('.'):
                empty = False
                yield Path(parent, name)
    if empty:
        raise DataError(f'{folder}: no photo is in this folder (looked for {", ".join(sorted(SUFFIXES))})')


def read_photo(photo: PhotoType) -> np.ndarray:
    """Pixels of a photo, uint8 BGR ``(H, W, 3)``, as OpenCV and mmcv read them.

    A file is turned as its EXIF tag says; of an animation the first frame is taken; what is transparent becomes white;
    16 bits become 8.

    Args:
        photo: A file; a ``PIL.Image``; or an array as OpenCV reads it, uint8 or uint16, ``(H, W)`` grey,
            ``(H, W, 3)`` BGR or ``(H, W, 4)`` BGRA.

    Raises:
        DataError: It cannot be read, or has more pixels than Pillow is set to decode (``MAX_IMAGE_PIXELS`` x 2).
    """
    if isinstance(photo, np.ndarray):
        return from_array(photo)
    if isinstance(photo, Image.Image):
        try:
            return from_pil(photo)
        # What was opened is decoded here.
        except OSError as error:
            raise DataError(f'the image cannot be read ({" ".join(str(error).split())})') from error
    if not isinstance(photo, (str, Path)):
        raise DataError(f'a photo is a path, an array or a PIL.Image, not {type(photo).__name__}')
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels on and refuses from 179 million on, before it decodes anything.
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            content = Path(photo).read_bytes()
            with Image.open(io.BytesIO(content)) as image:
                if image.format not in FORMATS:
                    raise DataError(f'{image.format} is no format of photos: convert it to JPEG or PNG')
                # Pillow does not compare the checksums of a PNG's pixels.
                if content.startswith(PNG) and (damage := scan_png(content)[0]):
                    raise DataError(f'cannot be read ({damage})')
                return from_pil(image)
    except FileNotFoundError:
        raise DataError(f'{photo} not found') from None
    except DataError as error:
        raise DataError(f'{photo}: {error}') from error
    except Image.DecompressionBombError as error:
        raise DataError(f'{photo}: too many pixels to decode: shrink it ({error})') from error
    except Image.UnidentifiedImageError:
        raise DataError(f'{photo}: not a picture that Pillow reads: convert it to JPEG or PNG') from None
    # Each of Pillow's readers has its own exceptions for files that are damaged.
    except Exception as error:
        raise DataError(f'{photo}: cannot be read ({" ".join(str(error).split())})') from error


def from_pil(image: Image.Image) -> np.ndarray:
    """See :func:`read_photo`."""
    image = ImageOps.exif_transpose(image)
    if image.mode == 'I' and 0 <= image.getextrema()[0] and image.getextrema()[1] < 2**16:
        image = image.convert('I;16')
    if image.mode.startswith('I;16'):
        return from_array(np.asarray(image))
    if image.mode in ('I', 'F'):
        raise DataError('it has 32 bits a pixel and does not say which number is white: save it with 8 or 16')
    if image.has_transparency_data:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    return np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1])


def from_array(image: np.ndarray) -> np.ndarray:
    """See :func:`read_photo`."""
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise DataError(f'an array of shape {image.shape} is no photo: expected (H, W), (H, W, 3) or (H, W, 4)')
    # Of either byte order.
    if image.dtype.kind == 'u' and image.dtype.itemsize == 2:
        image = (image // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise DataError(f'an array of {image.dtype} is no photo: expected uint8 or uint16')
    if image.shape[2] == 4:
        alpha = image[..., 3:] / 255
        image = (image[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


# Transforms that read files.
READERS = ('LoadImageFromFile', 'LoadFaceFromFile')


def after_reading(steps: Sequence[dict]) -> Compose:
    """What a reading pipeline does with an image once it is read; for photos that are read otherwise.

    Args:
        steps: The pipeline of a config.
    """
    return Compose([TRANSFORMS.build(step) for step in steps if step['type'].split('.')[-1] not in READERS])


def read_image(path: str) -> np.ndarray:
    """An image as a viewer shows it, uint8 RGB ``(H, W, 3)``.

    Raises:
        DataError: It cannot be read.
    """
    return np.ascontiguousarray(read_photo(path)[..., ::-1])
