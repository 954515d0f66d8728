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
from ..files import lock, replacing, writable
from ..parallel import default_jobs, map_in_processes
from ..progress import progress_bar
from .detector_base import Face
from .face_alignment import SIZE, align_face
from .face_detection import FaceDetector
from .photo_checks import _PHOTO_ERRORS, _describe_error
from .photos import list_photos, read_photo

# Where the loaders look for lists of labels, and how these end.
_LIST_FOLDERS, _LIST_SUFFIXES = ('', 'Anno', 'anno', 'Eval'), ('.txt', '.csv', '.mat')
# Side of LFWA's pictures, of which its configs cut out the middle; in an aligned one that is all of it.
_LFWA_SIDE = 250
# The list of pictures without a face; it also tells that a folder was begun here.
_NOT_ALIGNED = 'not_aligned.txt'
_NO_FACE = 'no face found: the middle of the photo'


def align_folder(
    source: Union[str, Path],
    out: Union[str, Path],
    size: Optional[Tuple[int, int]] = None,
    jobs: Optional[int] = None,
) -> Counter:
    """Aligns one face of each photo of a folder and of its subfolders, under the same names in another folder.

    It is the largest face in the middle of the photo or, if none is there, the largest. Without a face, the middle of
    the photo is cut out as LFWA's configs do, so that no picture of a dataset is missing; ``not_aligned.txt`` lists
    these. Lists of labels beside the photos, .txt, .csv and .mat files, are copied, so that the other folder is read
    like the first.

    A picture is written atomically: after an interruption the same call does what is missing, with the same result.

    Args:
        source: The folder. Files .jpg and .jpeg become JPEG of quality 95, others PNG.
        out: The other folder.
        size: Width and height of the pictures, which show as much as CelebA's of 178 x 218. By default these or, for
            LFWA, the 170 x 208 pixels that its configs cut out.
        jobs: Number of processes; by default one per core, or 1 for few photos.

    Returns:
        Numbers of ``photos``, those done ``before``, those ``without`` a face, those that ``failed``, which are
        missing and in the list as well, and ``seconds``.

    Raises:
        DataError: There is no photo, or a file cannot be written.
        ConfigError: The detector's package is missing, one folder is in the other, ``out`` has other files or
            pictures of another size, or another process writes to it.
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
        try:
            lock(file)
        except BlockingIOError:
            raise ConfigError(f'{out} is being written by another process: wait for it') from None
        done = {name for name in names if (out / name).is_file()}
        _check_size(out, names, done, size)
        reasons = {name: reason for name, reason in _read_reasons(out) if name in done}
        left = [name for name in names if name not in done]
        for path in lists:
            with replacing(out / path.relative_to(source)) as temporary:
                temporary.write_bytes(path.read_bytes())
        _align_rest(aligner, out, left, len(names), jobs, reasons, file)
        # In the photos' order, whenever they were aligned.
        with replacing(out / _NOT_ALIGNED) as temporary:
            temporary.write_bytes(b''.join(_line(name, reasons[name]) for name in names if name in reasons))
    without = sum(reason == _NO_FACE for reason in reasons.values())
    counts = dict(photos=len(names), before=len(done), without=without, failed=len(reasons) - without)
    return Counter(counts, seconds=time.monotonic() - start)


@dataclass(frozen=True)
class _Aligner:
    """From a photo's name to the content of the aligned picture's file, and what to say of it.

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
    """The largest of the faces that the center of a photo ``(H, W, 3)`` is in, or of all."""
    center = np.array(shape[1::-1]) / 2
    in_the_middle = [face for face in faces if (face.box[:2] <= center).all() and (center <= face.box[2:]).all()]
    # The largest is the first.
    return (in_the_middle or faces)[0]


def _cut_middle(photo: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """The middle of a photo ``(H, W, 3)`` that LFWA's configs cut out, in a picture of this width and height."""
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
    """Writes the pictures of the photos that are left; adds to the reasons, also in the open list."""
    # A process takes seconds to start, in which it could align several hundred photos.
    results = map_in_processes(aligner, left, default_jobs(len(left), 500) if jobs is None else jobs)
    with progress_bar('Aligning', total, total - len(left), 'photos') as advance:
        for name, (content, reason) in zip(left, results):
            if reason:
                reasons[name] = reason
                # Before the picture: one that is there is in the list.
                file.write(_line(name, reason))
            if content is not None:
                with replacing(out / name) as temporary:
                    temporary.write_bytes(content)
            advance()


def _line(name: str, reason: str) -> bytes:
    return os.fsencode(f'{name}\t{reason}\n')


def _read_reasons(out: Path) -> Iterator[Tuple[str, str]]:
    for line in (out / _NOT_ALIGNED).read_bytes().splitlines(keepends=True):
        # A crash may have cut the last one, whose picture was not written then.
        if line.endswith(b'\n'):
            yield os.fsdecode(line[:-1]).partition('\t')[::2]
