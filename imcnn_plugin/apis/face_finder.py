from numbers import Real
from pathlib import Path
from typing import Callable, List, Optional, Tuple, Union

import numpy as np
from mmengine.dataset import Compose

from ..errors import ConfigError, DataError
from .detector_base import DetectorBase, Face, _overlap, _rescale_face
from .face_alignment import TEMPLATE, _enlargement, _fit_similarity, _rescale_points, _transform, align_face
from .face_detection import FaceDetector
from .face_quality import face_quality
from .mtcnn_detector import MTCNNDetector
from .photo_checks import _PHOTO_ERRORS, _describe_error
from .photo_tasks import _Task
from .photos import read_reduced

DetectorType = Union[str, Callable[[np.ndarray], List[Face]]]

_DETECTORS = dict(yunet=FaceDetector, mtcnn=MTCNNDetector)
# The corners of a detected face's box, on average, in a face that is aligned like CelebA's.
_BOX = np.array([[45, 66], [129, 178]], float)
# A detected face is the one in a given box if their intersection over union is at least this.
_SAME_FACE = 0.3


class _FaceFinder:
    """Reads a photo, detects and aligns its faces, and prepares them for the network.

    It can be pickled for other processes; the arguments are those of
    :class:`~imcnn_plugin.apis.inferencer.FaceAttributeInferencer`.
    """

    def __init__(
        self,
        pipeline: Compose,
        detector: DetectorType = 'yunet',
        detect_pixels: Optional[int] = None,
        min_score: Optional[float] = None,
        min_face: float = 0,
        largest_only: bool = False,
    ):
        if isinstance(detector, str) and detector not in _DETECTORS:
            raise ConfigError(f"there is no detector '{detector}', only {' and '.join(map(repr, _DETECTORS))}")
        if not isinstance(detector, str) and not callable(detector):
            raise ConfigError(f'a detector is a name or a function of a photo, found {detector!r}')
        self.pipeline, self.detector = pipeline, detector
        self.min_score, self.min_face, self.largest_only = min_score or 0, min_face, largest_only
        # Only the name of a function can be recorded.
        name = detector if isinstance(detector, str) else getattr(detector, '__name__', type(detector).__name__)
        self.settings = dict(
            detector=name,
            detect_pixels=detect_pixels,
            min_score=min_score,
            min_face=min_face,
            largest_only=largest_only,
        )
        for name, value, most in (('min_score', self.min_score, 1), ('min_face', min_face, float('inf'))):
            if not isinstance(value, Real) or not 0 <= value <= most:
                raise ConfigError(f'{name} must be a number from 0 to {most}, found {value!r}')

    def open_detector(self) -> None:
        """Opens the detector if it is not open yet.

        Raises:
            ConfigError: Its package is missing.
        """
        if isinstance(self.detector, str):
            options = dict(max_pixels=self.settings['detect_pixels'], min_score=self.settings['min_score'])
            given = {name: value for name, value in options.items() if value is not None}
            self.detector = _DETECTORS[self.detector](**given)

    def __call__(self, task: _Task) -> Tuple[dict, List[np.ndarray]]:
        """The result of a photo without attributes, and the network inputs of its faces."""
        path = str(task.photo) if isinstance(task.photo, (str, Path)) else None
        result = dict(path=path, size=None, smallest_face=None, faces=[], reason=None, failed=False)
        prepared = []
        try:
            faces = self._aligned(task, result) if task.aligned else self._found(task, result)
            prepared = [self.prepare(face['crop']) for face in faces]
            result['faces'] = faces
            result['reason'] = None if faces else 'no face found'
        except _PHOTO_ERRORS as error:
            result['failed'] = True
            result['reason'] = _describe_error(path, error)
        if not task.keep_crops:
            for face in result['faces']:
                del face['crop']
        return result, prepared

    def prepare(self, crop: np.ndarray) -> np.ndarray:
        """An aligned face, uint8 BGR ``(H, W, 3)``, as the network takes it, ``(3, h, w)``."""
        return self.pipeline(dict(img=crop, img_shape=crop.shape[:2], ori_shape=crop.shape[:2]))['inputs'].numpy()

    def _aligned(self, task: _Task, result: dict) -> List[dict]:
        image, size = read_reduced(task.photo)
        result['size'] = list(size[::-1])
        return [dict(attributes={}, box=None, landmarks=None, score=None, quality=None, crop=image)]

    def _found(self, task: _Task, result: dict) -> List[dict]:
        # An open file can be read once, and the photo may be needed twice.
        photo = task.photo.read() if hasattr(task.photo, 'read') else task.photo
        given = task.boxes is not None or task.landmarks is not None
        own = isinstance(self.detector, DetectorBase)
        image, size = read_reduced(photo, self.detector.max_pixels if own and not given else None)
        result['size'] = list(size[::-1])
        if given:
            faces = self._given(image, task.boxes, task.landmarks)
        else:
            if own:
                result['smallest_face'] = self.detector.smallest_face(image) * size[0] / image.shape[0]
            faces = [_rescale_face(face, image.shape, size) for face in self._detect(image)]
            faces = [face for face in faces if self._is_wanted(face)][: 1 if self.largest_only else None]
        # In a photo that was decoded at a lower resolution, a face may have fewer pixels than its crop.
        finest = max((min(1, _enlargement(face.landmarks)) for face in faces), default=0)
        if finest > image.shape[0] / size[0] + 1e-3:
            image = read_reduced(photo, size[0] * size[1] * finest**2)[0]
        described = [self._describe(image, face, size) for face in faces]
        for face in described:
            if given and task.landmarks is None and face['score'] is None:
                face['quality']['doubts'].append('undetected')
        return described

    def _detect(self, image: np.ndarray) -> List[Face]:
        """The faces of a photo, the largest first."""
        faces = self.detector(image)
        for face in faces if isinstance(faces, (list, tuple)) else [faces]:
            if not isinstance(face, Face) or np.shape(face.box) != (4,) or np.shape(face.landmarks) != (5, 2):
                raise ConfigError(
                    f'a detector returns a list of Face with a box (4, ) and landmarks (5, 2), found {face!r:.80}'
                )
        return sorted(faces, key=lambda face: -_area(face.box))

    def _is_wanted(self, face: Face) -> bool:
        sides = np.subtract(face.box[2:], face.box[:2])
        return (face.score is None or face.score >= self.min_score) and min(sides) >= self.min_face

    def _given(self, image: np.ndarray, boxes: Optional[np.ndarray], landmarks: Optional[np.ndarray]) -> List[Face]:
        """The faces of a photo at given positions."""
        boxes = None if boxes is None else _check_shape('boxes', boxes, (4,))
        landmarks = None if landmarks is None else _check_shape('landmarks', landmarks, (5, 2))
        if landmarks is None:
            return [self._look_in(image, box) for box in boxes]
        if boxes is None:
            matrices = [_fit_similarity(TEMPLATE, face) for face in landmarks]
            corners = [_transform(_BOX, matrix) for matrix in matrices]
            boxes = [np.concatenate([points.min(0), points.max(0)]) for points in corners]
        if len(boxes) != len(landmarks):
            raise DataError(f'{len(boxes)} boxes and landmarks of {len(landmarks)} faces are given')
        return [Face(box, points, None) for box, points in zip(boxes, landmarks)]

    def _look_in(self, image: np.ndarray, box: np.ndarray) -> Face:
        """The face in a box, with average landmarks if none is detected in it."""
        sides = box[2:] - box[:2]
        if not sides.min() > 0:
            raise DataError(f'a box is left, top, right, bottom, found {box.tolist()}')
        last = np.array(image.shape[1::-1])
        left, top = np.clip(box[:2] - sides / 2, 0, last - 1).astype(int)
        right, bottom = np.maximum(np.clip(box[2:] + sides / 2, 0, last).astype(int), (left + 1, top + 1))
        offset = np.array([left, top])
        faces = self._detect(np.ascontiguousarray(image[top:bottom, left:right]))
        inside = box - np.tile(offset, 2)
        overlaps = _overlap(np.reshape([face.box for face in faces], (-1, 4)), inside[None])
        if overlaps.max(initial=0) >= _SAME_FACE:
            face = faces[overlaps.argmax()]
            return Face(box, face.landmarks + offset, face.score)
        place = (TEMPLATE - _BOX[0]) / (_BOX[1] - _BOX[0])
        return Face(box, box[:2] + place * sides, None)

    def _describe(self, image: np.ndarray, face: Face, size: Tuple[int, int]) -> dict:
        """The result of a face of a photo of this height and width, without attributes, and its crop."""
        crop = align_face(image, _rescale_points(face.landmarks, size, image.shape))
        return dict(
            attributes={},
            box=np.round(face.box, 1).tolist(),
            landmarks=np.round(face.landmarks, 1).tolist(),
            score=None if face.score is None else float(face.score),
            quality=face_quality(crop, face.landmarks),
            crop=crop,
        )


def _check_shape(name: str, values: np.ndarray, shape: Tuple[int, ...]) -> np.ndarray:
    try:
        found = np.asarray(values, float)
    except (TypeError, ValueError):
        raise DataError(f'{name} are no numbers of the shape (faces, {", ".join(map(str, shape))})') from None
    if found.shape[1:] != shape or found.ndim != len(shape) + 1 or not np.isfinite(found).all():
        raise DataError(
            f'{name} of the shape {found.shape} are given: expected finite numbers of the shape '
            f'(faces, {", ".join(map(str, shape))})'
        )
    return found


def _area(box: np.ndarray) -> float:
    return float(np.prod(np.clip(np.subtract(box[2:], box[:2]), 0, None)))
