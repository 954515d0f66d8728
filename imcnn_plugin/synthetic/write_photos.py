"""Writes photos with several synthetic faces, their boxes and 40 attributes, to try a detector."""

from pathlib import Path
from typing import Optional, Tuple, Union

import cv2
import numpy as np

from ..attributes import ATTRIBUTES
from ..datasets import LabelledPhoto, write_coco
from ..files import new_folder
from ..parallel import default_jobs, map_in_processes
from ..progress import track
from .canvas import HEIGHT, WIDTH
from .draw_face import _cut_out_face
from .sampling import _image_rng, _sample_identity, _sample_image
from .write_faces import _check_numbers, _write_jpeg

PHOTO_SIZE = (320, 240)
MAX_FACES = 6
# Scale of a drawn face: heads are about 32 to 75 pixels wide.
SCALES = (0.35, 0.8)
# Faces that cannot be placed in this many trials are skipped.
TRIALS = 5
# Share of photos without a face.
EMPTY = 0.05


def write_photos(out_dir: Union[str, Path], photos: int = 1000, seed: int = 0, jobs: Optional[int] = None) -> None:
    """Writes photos of 320 x 240 pixels with up to six faces in COCO format; 5 % have no face.

    Every face is a new identity. Its box encloses the head from the crown to the chin; heads are inside the photo and
    never occluded. The last fifth of the photos is for validation. The same seed gives the same bytes for any
    ``jobs``.

    Args:
        out_dir: New or empty folder for ``photos/000001.jpg`` ..., ``train.json`` and ``val.json``, see
            :func:`~imcnn_plugin.datasets.write_coco`. It is created when the dataset is complete.
        photos: Number of photos.
        seed: Seeds everything that is drawn.
        jobs: Number of processes; by default all cores, or 1 for few photos.

    Raises:
        DataError: ``out_dir`` is a file or is not empty, or a number is out of range.
    """
    if jobs is None:
        jobs = default_jobs(photos, 100)
    _check_numbers(dict(photos=photos, jobs=jobs), seed)
    with new_folder(out_dir) as partial:
        (partial / 'photos').mkdir()
        tasks = [(partial, seed, number) for number in range(1, photos + 1)]
        drawn = map_in_processes(_write_photo, tasks, min(jobs, photos))
        labelled = list(track(drawn, 'Drawing photos', total=photos))
        first = photos - photos // 5
        write_coco(partial / 'train.json', labelled[:first], ATTRIBUTES)
        write_coco(partial / 'val.json', labelled[first:], ATTRIBUTES)


def _write_photo(task: Tuple[Path, int, int]) -> LabelledPhoto:
    """Draws one photo, given the folder, seed and number."""
    folder, seed, number = task
    rng = np.random.default_rng([seed, 6, number])
    photo = _draw_background(rng)
    boxes, labels = np.zeros((0, 4)), np.zeros((0, len(ATTRIBUTES)), np.int8)
    faces = 0 if rng.random() < EMPTY else rng.integers(1, MAX_FACES + 1)
    for face in range(faces):
        identity = number * MAX_FACES + face
        traits, stable = _sample_identity(seed, identity)
        has = _sample_image(traits, stable, face_rng := _image_rng(seed, identity, 0))
        image, opacity, head = _cut_out_face(traits, has, face_rng)
        size = np.round(np.array([WIDTH, HEIGHT]) * rng.uniform(*SCALES)).astype(int)
        head = head * np.tile(size / (WIDTH, HEIGHT), 2)
        # The positions at which the head is inside the photo.
        least, most = np.ceil(-head[:2]).astype(int), np.floor(PHOTO_SIZE - head[2:]).astype(int)
        for corner in rng.integers(least, most, (TRIALS, 2), endpoint=True):
            # The body may occlude other bodies, but no head.
            if not ((boxes[:, :2] < corner + size) & (boxes[:, 2:] > corner)).all(1).any():
                parts = (cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (image, opacity))
                _paste(photo, *parts, corner)
                boxes = np.vstack([boxes, head + np.tile(corner, 2)])
                labels = np.vstack([labels, np.array(list(has.values()), np.int8)])
                break
    noise = rng.standard_normal((*photo.shape[:2], 1), np.float32) * rng.uniform(1, 4)
    name = f'photos/{number:06d}.jpg'
    _write_jpeg(folder / name, np.clip(np.round(photo * rng.uniform(0.9, 1.06) + noise), 0, 255).astype(np.uint8))
    return LabelledPhoto(name, *PHOTO_SIZE, boxes, labels)


def _draw_background(rng: np.random.Generator) -> np.ndarray:
    """A gradient with boxes and discs, some in the colors of skin and hair: RGB ``(H, W, 3)``, float32."""
    width, height = PHOTO_SIZE
    top, bottom = rng.uniform(50, 210, (2, 1)) + rng.uniform(-28, 28, (2, 3))
    photo = (top + (bottom - top) * np.linspace(0, 1, height)[:, None, None]).astype(np.float32)
    photo = np.repeat(photo, width, axis=1)
    for _ in range(rng.integers(4, 12)):
        color = rng.uniform(20, 240, 3) if rng.random() < 0.6 else rng.uniform(0.5, 1.1) * np.array((220, 165, 125))
        x, y, half_width, half_height = (rng.uniform(0, 1, 4) * (width, height, 45, 55)).astype(int).tolist()
        if rng.random() < 0.5:
            cv2.rectangle(photo, (x - half_width, y - half_height), (x + half_width, y + half_height), color, -1)
        else:
            cv2.ellipse(photo, (x, y), (half_width, half_height), rng.uniform(0, 180), 0, 360, color, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.7, 3))


def _paste(photo: np.ndarray, image: np.ndarray, opacity: np.ndarray, corner: np.ndarray) -> None:
    """Composites a premultiplied image with opacity ``(h, w)`` in 0..255 onto a photo, clipped to the photo."""
    left, top = np.maximum(corner, 0)
    right, bottom = np.minimum(corner + opacity.shape[::-1], PHOTO_SIZE)
    inner = np.s_[top - corner[1] : bottom - corner[1], left - corner[0] : right - corner[0]]
    region = photo[top:bottom, left:right]
    region += image[inner] - region * (opacity[inner] / 255)[..., None]
