import difflib
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.device import get_device

from ..checkpoints.load_model import load_model
from ..engine.evaluation_data import evaluation_pipeline
from ..errors import ConfigError, DataError, one_line
from ..framework import has_fast_bf16
from ..label_conflicts import predict_without_conflicts
from ..models import to_device
from ..parallel import WorkerPool
from ..visualization.face_overlay import draw_faces
from .album import Album
from .face_finder import DetectorType, _FaceFinder
from .fused_model import AttributePredictor
from .photo_checks import _FrameCheck
from .photo_pipeline import pipeline_after_loading
from .photo_tasks import _photo_tasks
from .photos import PhotoType, read_photo
from .process_device import _check_positive, _open_device

InputsType = Union[PhotoType, Iterable[PhotoType]]


class FaceAttributeInferencer:
    """Predicts named attributes of the faces in photos: detects the faces, aligns them like CelebA's, and classifies.

    Args:
        checkpoint: A training checkpoint or a published one. It contains the config, the attribute names and the
            calibration. The identity branch is not loaded.
        device: Device of the model; None uses a GPU if available.
        precision: 'fp32', or 'bf16', which runs convolutions and matrix products in half precision; None uses bf16 on
            CPUs with AMX, and fp32 otherwise.
        detect_pixels: Photos with more pixels are shrunk to this many for face detection; None uses the detector's
            default, 800 x 600 for 'yunet' and 640 x 480 for 'mtcnn'.
        consistent: Choose labels of a face that do not contradict each other, see
            :func:`~imcnn_plugin.label_conflicts.predict_without_conflicts`; probabilities are unchanged.
        detector: 'yunet' (:class:`~imcnn_plugin.apis.FaceDetector`), 'mtcnn', which is eight times slower
            (:class:`~imcnn_plugin.apis.MTCNNDetector`), or a function from a photo, uint8 BGR ``(H, W, 3)``, to a list
            of :class:`~imcnn_plugin.apis.Face`. It must support calls from several threads and processes.
        min_score: Skip faces with a lower detection score, 0 to 1; None uses the detector's default, 0.9.
        min_face: Skip faces whose box has a smaller height or width, in pixels of the photo.
        largest_only: Predict only the largest face of each photo.
        attributes: Names of the attributes to report; None reports all.
        jobs: Number of processes that read photos and detect faces, while the network runs in the calling process.
            With 1, that process does everything. They start with the first photo, which takes seconds, and end with
            the inferencer.

    Raises:
        DataError: The checkpoint cannot be read.
        ConfigError: Its model predicts no attributes, or an argument is out of range.

    The result of a photo is a dict::

        path      of the photo; None if it is not a file
        size      its width and height in pixels; None if it cannot be read
        smallest_face  the side in its pixels of the smallest faces that can be detected: 20, more if the photo is
                  shrunk for detection; None without detection, or with a custom detector
        faces     the largest first, each a dict:
                    attributes  {name: dict(probability=..., threshold=..., label=...)}; label is True if the
                                probability is at least the threshold, unless labels are consistent
                    box         left, top, right, bottom in pixels of the photo, rotated as its EXIF tag says
                    landmarks   x and y of left eye, right eye, nose, left and right corner of the mouth
                    score       detection score, 0 to 1; None if the face was not detected
                    quality     how far to trust the prediction, see :func:`~imcnn_plugin.apis.face_quality`
                    crop        if asked for: the aligned face, uint8 BGR (218, 178, 3)
                  if the photo is an aligned face, box, landmarks, score and quality are None, and the crop is the
                  photo
        reason    why there are no faces, else None
        failed    whether that is because the photo cannot be read, or its faces cannot be detected or aligned

    Example:
        >>> inferencer = FaceAttributeInferencer('best.pth')
        >>> face = inferencer('photo.jpg')[0]['faces'][0]
        >>> face['attributes']['Smiling']
        {'probability': 0.97, 'threshold': 0.5, 'label': True}
    """

    def __init__(
        self,
        checkpoint: Union[str, Path],
        device: Union[str, torch.device, None] = None,
        precision: Optional[str] = None,
        detect_pixels: Optional[int] = None,
        consistent: bool = False,
        detector: DetectorType = 'yunet',
        min_score: Optional[float] = None,
        min_face: float = 0,
        largest_only: bool = False,
        attributes: Optional[Sequence[str]] = None,
        jobs: int = 1,
    ):
        if precision not in ('fp32', 'bf16', None):
            raise ConfigError(f"there is no precision '{precision}', only 'fp32' and 'bf16'")
        _check_positive('detect_pixels', 1 if detect_pixels is None else detect_pixels)
        _check_positive('jobs', jobs)
        self.device = _open_device(device or get_device())
        self.trained = load_model(checkpoint, self.device)
        self.head = self.trained.head
        self.classes = _choose(self.head.classes, attributes)
        try:
            pipeline = pipeline_after_loading(evaluation_pipeline(self.trained.cfg, self.trained.meta))
        # Each transform has its own exceptions for invalid settings.
        except Exception as error:
            raise DataError(
                f'{checkpoint}: test_dataloader.dataset.pipeline of its config cannot be built ({one_line(error)})'
            ) from error
        if precision is None:
            precision = 'bf16' if self.device.type == 'cpu' and has_fast_bf16() else 'fp32'
        self.precision = precision
        self.model = AttributePredictor(self.trained.model, torch.bfloat16 if precision == 'bf16' else torch.float32)
        self.consistent = consistent
        self.finder = _FaceFinder(pipeline, detector, detect_pixels, min_score, min_face, largest_only)
        self.workers = WorkerPool(self.finder, int(jobs))
        self._warned = False

    def __call__(self, inputs: InputsType, batch_size: int = 32, **kwargs) -> List[dict]:
        """The results of all photos; options as for :meth:`stream`.

        Raises:
            DataError: A photo cannot be predicted, or there is none.
        """
        results = []
        for result in self.stream(inputs, batch_size, **kwargs):
            if result['failed']:
                raise DataError(result['reason'])
            results.append(result)
        return results

    def stream(
        self,
        inputs: InputsType,
        batch_size: int = 32,
        aligned: bool = False,
        album: Optional[Album] = None,
        return_crops: bool = False,
        boxes: Optional[Iterable] = None,
        landmarks: Optional[Iterable] = None,
    ) -> Iterator[dict]:
        """Yields the results of photos one by one; no more than a batch is held in memory.

        A photo that cannot be predicted gives a result with the reason. One warning at the end reports aligned faces
        that have another shape than those of CelebA.

        Args:
            inputs: A photo as :func:`~imcnn_plugin.apis.read_photo` takes it, such as a path or an array as OpenCV
                reads it (BGR), a folder, or an iterable of these, such as a generator.
            batch_size: Number of faces per forward pass.
            aligned: Each photo is an aligned face, so none is detected.
            album: All photos show one person, whose face is the largest in each, and are predicted together. Results
                are only yielded after the last photo.
            return_crops: Add the aligned faces to the results.
            boxes: The boxes of the faces in pixels: for each photo, left, top, right and bottom ``(F, 4)``, or None to
                detect them; for a single photo, its own boxes. All of them are predicted, in this order.
            landmarks: The landmarks of the faces in the same form, ``(F, 5, 2)``, x and y in the order of
                :data:`~imcnn_plugin.apis.TEMPLATE`. Without them, a face is detected in each box; if none is found,
                average landmarks are used, and the score is None.

        Raises:
            DataError: There is no photo, or a folder has none.
            ConfigError: The detector is missing, the album was fitted to another checkpoint, or ``batch_size`` is not
                positive.
        """
        _check_positive('batch_size', batch_size)
        if album is not None:
            album.check(self.trained.checksum)
        return self._stream(inputs, int(batch_size), aligned, album, return_crops, boxes, landmarks)

    def _stream(self, *options) -> Iterator[dict]:
        frames = _FrameCheck()
        for result in self._results(*options):
            frames.add(result)
            yield result
        if not self._warned:
            self._warned = frames.warn()

    def _results(
        self, inputs: InputsType, batch_size: int, aligned: bool, album: Optional[Album], *options
    ) -> Iterator[dict]:
        """:meth:`stream` without the warning."""
        predicted = self._predict(self._detect(inputs, aligned, *options), batch_size)
        if album is not None:
            predicted = self._pool(list(predicted), album)
        for result, _, probabilities in predicted:
            yield self._label(result, probabilities)

    def _detect(self, inputs: InputsType, aligned: bool, *options) -> Iterator[Tuple[dict, List[np.ndarray]]]:
        """Yields results without attributes, and the network inputs of their faces."""
        if not aligned:
            self.finder.open_detector()
        return self.workers.map(_photo_tasks(inputs, self.workers.jobs > 1, aligned, *options))

    def _predict(
        self, results: Iterable[Tuple[dict, List[np.ndarray]]], batch_size: int
    ) -> Iterator[Tuple[dict, np.ndarray, np.ndarray]]:
        """Yields results with logits and probabilities ``(faces, L)``."""
        for batch in _batches(results, batch_size):
            faces = [face for _, prepared in batch for face in prepared]
            logits = [self._logits(faces[i : i + batch_size]) for i in range(0, len(faces), batch_size)]
            # A batch may have no face at all.
            logits = torch.cat([*logits, torch.empty(0, len(self.head.classes), device=self.device)])
            # One copy from the device.
            logits, probabilities = torch.stack([logits, self.head.probabilities(logits)]).cpu().numpy()
            ends = np.cumsum([len(prepared) for _, prepared in batch])[:-1]
            found = [result for result, _ in batch]
            yield from zip(found, np.split(logits, ends), np.split(probabilities, ends))

    def predict_logits(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        """Logits ``(N, L)`` on the CPU, before calibration, of aligned faces uint8 BGR ``(H, W, 3)``."""
        return self._logits([self.finder.prepare(crop) for crop in crops]).cpu()

    @torch.inference_mode()
    def _logits(self, prepared: Sequence[np.ndarray]) -> torch.Tensor:
        """Logits ``(N, L)`` on the device."""
        _open_device(self.device)
        images = [torch.from_numpy(image) for image in prepared]
        if len({image.shape for image in images}) == 1:
            # One copy to the device; mmpretrain's preprocessor would make one per image.
            images = to_device(torch.stack(images), self.device)
        try:
            return self.model.logits(images).float()
        except torch.cuda.OutOfMemoryError as error:
            raise ConfigError(
                f'{self.device} lacks the memory for {len(prepared)} faces at once: lower batch_size (--batch-size)'
            ) from error

    @staticmethod
    def _pool(
        predicted: List[Tuple[dict, np.ndarray, np.ndarray]], album: Album
    ) -> List[Tuple[dict, np.ndarray, np.ndarray]]:
        """Replaces the probabilities of the largest face of each photo."""
        found = [(logits, probabilities) for _, logits, probabilities in predicted if len(logits)]
        if found:
            largest = (np.stack([values[0] for values in field]) for field in zip(*found))
            for (_, probabilities), pooled in zip(found, album.probabilities(*largest)):
                probabilities[0] = pooled
        return predicted

    def _label(self, result: dict, probabilities: np.ndarray) -> dict:
        """Adds the attributes to the faces of a result, from probabilities ``(faces, L)``."""
        thresholds = self.head.thresholds.cpu().numpy()
        labels = probabilities >= thresholds
        if self.consistent:
            labels = predict_without_conflicts(probabilities, thresholds, self.head.classes)
        chosen = [self.head.classes.index(name) for name in self.classes]
        for face, *columns in zip(result['faces'], probabilities[:, chosen].tolist(), labels[:, chosen].tolist()):
            for name, threshold, probability, label in zip(self.classes, thresholds[chosen].tolist(), *columns):
                face['attributes'][name] = dict(probability=probability, threshold=threshold, label=label)
        return result

    def visualize(self, photo: PhotoType, result: dict) -> np.ndarray:
        """Draws a photo with its faces, their attributes listed by group, uint8 BGR, as ``cv2.imwrite`` takes it."""
        return draw_faces(read_photo(photo), result['faces'], self.trained.groups)


def _batches(
    results: Iterable[Tuple[dict, List[np.ndarray]]], size: int
) -> Iterator[List[Tuple[dict, List[np.ndarray]]]]:
    """Groups photos until they have at least ``size`` faces, or are ``size`` photos."""
    batch, faces = [], 0
    for result, prepared in results:
        batch.append((result, prepared))
        faces += len(prepared)
        if max(faces, len(batch)) >= size:
            yield batch
            batch, faces = [], 0
    if batch:
        yield batch


def _choose(classes: Sequence[str], attributes: Optional[Sequence[str]]) -> Sequence[str]:
    if attributes is None:
        return classes
    chosen = list(dict.fromkeys([attributes] if isinstance(attributes, str) else attributes))
    for name in chosen:
        if name not in classes:
            near = difflib.get_close_matches(str(name), classes, 1)
            raise ConfigError(f"the model predicts no attribute '{name}'" + (f": try '{near[0]}'" if near else ''))
    if not chosen:
        raise ConfigError('attributes is empty: name some, or None for all')
    return chosen
