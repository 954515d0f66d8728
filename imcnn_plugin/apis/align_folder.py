"""Aligns the faces of a dataset or folder of photos; what ``tools/data/align.py`` runs."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional, Tuple, Union

import cv2
import numpy as np
from PIL import Image

from ..datasets import LFWA_CUT, is_lfwa
from ..errors import ConfigError, DataError
from ..files import lock, writable, write_bytes
from ..parallel import default_jobs, map_in_processes
from ..progress import progress_bar
from .detector_base import Face
from .face_alignment import SIZE, align_face
from .face_detection import FaceDetector
from .photo_checks import _PHOTO_ERRORS, _describe_error
from .photos import list_photos, read_photo

# Folders in which the loaders look for lists of labels, and the suffixes of these.
_LIST_FOLDERS, _LIST_SUFFIXES = ('', 'Anno', 'anno', 'Eval'), ('.txt', '.csv', '.mat')
# Side of LFWA's images, of which its configs crop the center; an aligned image has only that crop.
_LFWA_SIDE = 250
# The list of images without a face; its presence also marks a folder as an earlier output.
_NOT_ALIGNED = 'not_aligned.txt'
_NO_FACE = 'no face found: the middle of the photo'


def align_folder(
    source: Union[str, Path],
    out: Union[str, Path],
    size: Optional[Tuple[int, int]] = None,
    jobs: Optional[int] = None,
) -> Counter:
    """Aligns one face of each photo of a folder and of its subfolders, under the same names in another folder.

    The aligned face is the largest one that contains the center of the photo or, without such a face, the largest one.
    In a photo without a face, the center is cropped as LFWA's configs do, so that no image of a dataset is missing;
    ``not_aligned.txt`` lists these. Lists of labels beside the photos (.txt, .csv and .mat files) are copied, so that
    the output folder can be read like the source.

    Images are written atomically; after an interruption, the same call resumes with the same result.

    Args:
        source: The source folder. .jpg and .jpeg files become JPEG of quality 95, others PNG.
        out: The output folder.
        size: Width and height of the output images, which show the same region as CelebA's of 178 x 218. The default
            is 178 x 218 or, for LFWA, the 170 x 208 pixels that its configs crop.
        jobs: Number of processes; the default is one per core, or 1 for few photos.

    Returns:
        Numbers of ``photos``, of those done ``before``, ``without`` a face, and ``failed``, which are missing but
        listed, and ``seconds``.

    Raises:
        DataError: There is no photo, or a file cannot be written.
        ConfigError: The detector's package is missing, one folder contains the other, ``out`` has other files or
            images of another size, or another process writes to it.
    """
    source, out, start = Path(source), Path(out), time.monotonic()
    if not source.is_dir():
        raise DataError(f'{source} is not a folder: give that of the dataset or of the photos')
    folders = [source.resolve(), out.resolve()]
    if any(folder == other or folder in other.parents for folder, other in (folders, folders[::-1])):
        raise ConfigError(f'{out} and {source} must not contain each other: give another folder to write to')
    if out.is_dir() and os.listdir(out) and not (out / _NOT_ALIGNED).is_file():
        raise ConfigError(f'{out} is not empty and has no {_NOT_ALIGNED} of an earlier run: give a new folder')
    names = [os.path.relpath(photo, source) for photo in list_photos(source)]
    lists = list(_label_lists(source))
    if size is None:
        size = LFWA_CUT if is_lfwa(source) else SIZE
    aligner = _Aligner(source, tuple(size), FaceDetector())
    with open(writable(out / _NOT_ALIGNED), 'ab', buffering=0) as file:
        lock(file, f'{out} is being written by another process: wait for it')
        done = {name for name in names if (out / name).is_file()}
        _check_size(out, names, done, size)
        reasons = {name: reason for name, reason in _read_reasons(out) if name in done}
        left = [name for name in names if name not in done]
        for path in lists:
            # An error while reading is not one of the file that is written.
            content = path.read_bytes()
            write_bytes(out / path.relative_to(source), content)
        _align_rest(aligner, out, left, len(names), jobs, reasons, file)
        # In the photos' order, whenever they were aligned.
        write_bytes(out / _NOT_ALIGNED, b''.join(_line(name, reasons[name]) for name in names if name in reasons))
    without = sum(reason == _NO_FACE for reason in reasons.values())
    counts = dict(photos=len(names), before=len(done), without=without, failed=len(reasons) - without)
    return Counter(counts, seconds=time.monotonic() - start)


@dataclass(frozen=True)
class _Aligner:
    """Aligns a photo, given its name, and returns the content of the image file and the reason if it has no face.

    It can be pickled for other processes.
    """

    source: Path
    size: Tuple[int, int]
    detector: FaceDetector

    def __call__(self, name: str) -> Tuple[Optional[bytes], Optional[str]]:
        try:
            photo = read_photo(self.source / name)
            faces = self.detector(photo)
            if faces:
                picture = align_face(photo, _choose_face(faces, photo.shape).landmarks, self.size)
            else:
                picture = _cut_middle(photo, self.size)
            is_jpeg = name.lower().endswith(('.jpg', '.jpeg'))
            options = [cv2.IMWRITE_JPEG_QUALITY, 95] if is_jpeg else []
            content = cv2.imencode('.jpg' if is_jpeg else '.png', picture, options)[1].tobytes()
        except _PHOTO_ERRORS as error:
            return None, ' '.join(_describe_error(name, error).split())
        return content, None if faces else _NO_FACE


def _choose_face(faces: List[Face], shape: Tuple[int, ...]) -> Face:
    """The largest face that contains the center of a photo ``(H, W, 3)``, or the largest of all."""
    center = np.array(shape[1::-1]) / 2
    in_the_middle = [face for face in faces if (face.box[:2] <= center).all() and (center <= face.box[2:]).all()]
    # The largest is the first.
    return (in_the_middle or faces)[0]


def _cut_middle(photo: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """The center of a photo ``(H, W, 3)`` that LFWA's configs crop, resized to this width and height."""
    sides = np.array(photo.shape[1::-1])
    cut = np.array(size) * (sides / size).min() * LFWA_CUT[1] / _LFWA_SIDE
    cut = np.maximum(1, cut.round().astype(int))
    left, top = (sides - cut) // 2
    middle = photo[top : top + cut[1], left : left + cut[0]]
    return cv2.resize(middle, size, interpolation=cv2.INTER_AREA if cut[0] > size[0] else cv2.INTER_LINEAR)


def _label_lists(source: Path) -> Iterator[Path]:
    for folder in _LIST_FOLDERS:
        if (source / folder).is_dir():
            for path in sorted((source / folder).iterdir()):
                if path.suffix.lower() in _LIST_SUFFIXES and path.is_file() and path.name != _NOT_ALIGNED:
                    yield path


def _check_size(out: Path, names: List[str], done: set, size: Tuple[int, int]) -> None:
    first = next((name for name in names if name in done), None)
    if first is None:
        return
    with Image.open(out / first) as picture:
        found = picture.size
    if found != tuple(size):
        raise ConfigError(
            f'{out} has pictures of {found[0]} x {found[1]} of an earlier run, now it is {size[0]} x {size[1]}: '
            'give another folder'
        )


def _align_rest(
    aligner: _Aligner,
    out: Path,
    left: List[str],
    total: int,
    jobs: Optional[int],
    reasons: Dict[str, str],
    file: BinaryIO,
) -> None:
    """Writes the images of the remaining photos; adds to the reasons, also in the open list."""
    # A process takes seconds to start, in which it could align several hundred photos.
    results = map_in_processes(aligner, left, default_jobs(len(left), 500) if jobs is None else jobs)
    with progress_bar('Aligning', total, total - len(left), 'photos') as advance:
        for name, (content, reason) in zip(left, results):
            if reason:
                reasons[name] = reason
                # Written before the image, so that every existing image without a face is in the list.
                file.write(_line(name, reason))
            if content is not None:
                write_bytes(out / name, content)
            advance()


def _line(name: str, reason: str) -> bytes:
    return os.fsencode(f'{name}\t{reason}\n')


def _read_reasons(out: Path) -> Iterator[Tuple[str, str]]:
    for line in (out / _NOT_ALIGNED).read_bytes().splitlines(keepends=True):
        # A crash may have truncated the last line; its image was not written then.
        if line.endswith(b'\n'):
            yield os.fsdecode(line[:-1]).partition('\t')[::2]
