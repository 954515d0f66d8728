"""Any picture that a user may have, as the pixels that a viewer shows."""

import io
import os
import threading
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, Optional, Sequence, Tuple, Type, Union

import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS
from PIL import Image, ImageCms, ImageOps

from ..datasets.image_file import PNG_SIGNATURE, scan_png
from ..errors import ConfigError, DataError, one_line

PhotoType = Union[str, Path, np.ndarray, Image.Image]

# What is decoded, by Pillow's names. For some others it would run programs, such as Ghostscript for EPS.
_FORMATS = set('JPEG MPO PNG BMP DIB WEBP TIFF GIF PPM JPEG2000 AVIF HEIF'.split())
# What counts as a photo in a folder. Formats that Pillow may lack are included, so that they are reported.
_SUFFIXES = set(
    '.jpg .jpeg .jpe .jfif .png .bmp .webp .tif .tiff .gif .ppm .pgm .jp2 .jxl .mpo .avif .heic .heif'.split()
)
# Transforms that read files.
_READERS = ('LoadImageFromFile', 'LoadFaceFromFile')
# Filters of warnings are those of the process: of two threads that change them, one would restore the other's.
_FILTERING = threading.Lock()


def list_photos(inputs: Union[PhotoType, Iterable[PhotoType]], left_out: Optional[Counter] = None) -> Iterator:
    """Yields photos one by one; folders are replaced by the photos in them and in their subfolders, sorted by name.

    Args:
        inputs: A path, a folder, an array, a ``PIL.Image``, or an iterable of these, which may be a generator.
        left_out: Counts the other files in folders, by the suffix of their name or as 'hidden'.

    Raises:
        DataError: There is no photo, or a folder has none.
    """
    if isinstance(inputs, (str, Path, np.ndarray, Image.Image, bytes)) or not isinstance(inputs, Iterable):
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


def _list_folder(folder: Union[str, Path], left_out: Counter) -> Iterator[Path]:
    empty, seen = True, set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        # A link may lead to a folder above it.
        if (real := os.path.realpath(parent)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
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

    A file is rotated according to its EXIF tag, and converted to sRGB if it has a color profile; the first frame of an
    animation is taken; transparency is composited onto white; 16 bits become 8.

    Args:
        photo: A file; a ``PIL.Image``; or an array as OpenCV reads it, uint8 or uint16, ``(H, W)`` gray,
            ``(H, W, 3)`` BGR or ``(H, W, 4)`` BGRA.

    Raises:
        DataError: It cannot be read, or has more pixels than Pillow is set to decode (``MAX_IMAGE_PIXELS`` x 2).
    """
    if isinstance(photo, np.ndarray):
        return _from_array(photo)
    if isinstance(photo, Image.Image):
        try:
            return _from_pil(photo)
        except DataError:
            raise
        # An opened file is decoded here, if it is not closed; each of Pillow's readers has its own exceptions.
        except Exception as error:
            raise DataError(f'the image cannot be read ({one_line(error)})') from error
    if not isinstance(photo, (str, Path)):
        raise DataError(
            f'a photo is a path, an array or a PIL.Image, not {type(photo).__name__}: give the path of its file, or '
            'open it with PIL'
        )
    try:
        # Reading a named pipe would wait for its writer.
        if os.path.exists(photo) and not os.path.isfile(photo):
            raise DataError('is not a regular file')
        content = Path(photo).read_bytes()
        # Pillow warns above 89 million pixels and raises above 179 million, before it decodes anything.
        with _ignored_warnings(Image.DecompressionBombWarning):
            image = Image.open(io.BytesIO(content))
        with image:
            if image.format not in _FORMATS:
                raise DataError(f'{image.format} is not a photo format: convert it to JPEG or PNG')
            # Pillow does not verify the checksums of a PNG's pixels.
            if content.startswith(PNG_SIGNATURE) and (damage := scan_png(content)[0]):
                raise DataError(f'cannot be read ({damage})')
            return _from_pil(image)
    except FileNotFoundError:
        raise DataError(f'{photo} not found') from None
    except DataError as error:
        raise DataError(f'{photo}: {error}') from error
    except Image.DecompressionBombError as error:
        raise DataError(f'{photo}: too many pixels to decode: shrink it ({error})') from error
    except Image.UnidentifiedImageError:
        raise DataError(f'{photo}: Pillow cannot read this file: convert it to JPEG or PNG') from None
    # Each of Pillow's readers has its own exceptions for damaged files.
    except Exception as error:
        raise DataError(f'{photo}: cannot be read ({" ".join(str(error).split())})') from error


def read_rgb(photo: PhotoType) -> np.ndarray:
    """:func:`read_photo` as uint8 RGB ``(H, W, 3)``, for viewers."""
    return np.ascontiguousarray(read_photo(photo)[..., ::-1])


def _from_pil(image: Image.Image) -> np.ndarray:
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
    return np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1])


def _to_srgb(image: Image.Image) -> Image.Image:
    """Converts an image with an embedded color profile, such as a phone's Display P3; others count as sRGB."""
    profile = image.info.get('icc_profile')
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if 'sRGB' in ImageCms.getProfileDescription(source):
            return image
        mode = 'RGBA' if image.mode == 'RGBA' else 'RGB'
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile('sRGB'), outputMode=mode)
    # Viewers ignore a profile that is damaged, or of another kind of pixels, as well.
    except (ImageCms.PyCMSError, OSError):
        return image


def _from_array(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or not image.size:
        raise DataError(f'an array of shape {image.shape} is not a photo: expected (H, W), (H, W, 3) or (H, W, 4)')
    # Of either byte order.
    if image.dtype.kind == 'u' and image.dtype.itemsize == 2:
        image = (image // 257).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise DataError(f'an array of {image.dtype} is not a photo: expected uint8 or uint16')
    if image.shape[2] == 4:
        alpha = image[..., 3:] / 255
        image = (image[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))


@contextmanager
def _ignored_warnings(category: Type[Warning]) -> Iterator[None]:
    with _FILTERING, warnings.catch_warnings():
        warnings.simplefilter('ignore', category)
        yield


def pipeline_after_loading(steps: Sequence[dict]) -> Compose:
    """Builds a config's pipeline without the transforms that read files, for photos that are read otherwise."""
    return Compose([TRANSFORMS.build(step) for step in steps if step['type'].split('.')[-1] not in _READERS])


def input_size(cfg: Config, steps: Sequence[dict]) -> Tuple[int, int]:
    """Height and width of the images that a pipeline of a config returns.

    Raises:
        ConfigError: They vary, or the pipeline cannot be used.
    """
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
            pipeline = pipeline_after_loading(steps)
        images = [np.zeros((*size, 3), np.uint8) for size in ((480, 640), (640, 480))]
        found = [pipeline(dict(img=x, img_shape=x.shape[:2], ori_shape=x.shape[:2]))['inputs'] for x in images]
    # What a transform raises for settings that do not fit is up to it.
    except Exception as error:
        raise ConfigError(f'the pipeline that prepares the test images cannot be used ({one_line(error)})') from error
    if found[0].shape != found[1].shape:
        raise ConfigError('the images of the test pipeline vary in size: resize or crop them to one')
    return tuple(found[0].shape[1:])
