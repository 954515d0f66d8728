from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device

from ..checkpoints.load_model import load_model
from ..engine.evaluation_data import evaluation_pipeline
from ..errors import ConfigError, DataError, one_line
from ..label_conflicts import predict_without_conflicts
from ..models import to_device
from ..visualization.face_overlay import draw_faces
from .album import Album
from .face_alignment import align_face
from .face_detection import FaceDetector
from .photo_checks import _PHOTO_ERRORS, _describe_error, _FrameCheck
from .photos import PhotoType, list_photos, pipeline_after_loading, read_photo
from .process_device import _check_positive, _open_device

InputsType = Union[PhotoType, Iterable[PhotoType]]


class FaceAttributeInferencer:
    """From photos to named attributes: detects the faces, aligns them like CelebA's, and predicts.

    Args:
        checkpoint: A training checkpoint or a published one. It has everything: the config, the names of the
            attributes and the calibration. The identity branch is not loaded.
        device: Where the model runs; None takes a GPU if available.
        precision: 'fp32', or 'bf16', in which convolutions and matrix products run in half precision.
        detect_pixels: Photos with more pixels are shrunk to this many for face detection, see
            :class:`~imcnn_plugin.apis.face_detection.FaceDetector`.
        consistent: Choose the labels of a face so that none contradict each other, see
            :func:`~imcnn_plugin.label_conflicts.predict_without_conflicts`; the probabilities stay.

    Raises:
        DataError: The checkpoint cannot be read.
        ConfigError: Its model predicts no attributes, the precision or device does not exist, or ``detect_pixels`` is
            not positive.

    The result of a photo is a dict::

        path      of the photo; None for an array or a PIL.Image
        size      its width and height in pixels; None if it cannot be read
        smallest_face  the side of the smallest faces that are detected in it, in its pixels: 20, more if the photo
                  is shrunk for detection; None if none are detected
        faces     the largest first, each a dict:
                    attributes  {name: dict(probability=..., threshold=..., label=...)}; label is True if the
                                probability is at least the threshold, unless labels are consistent
                    box         left, top, right, bottom in pixels of the photo, rotated as its EXIF tag says
                    landmarks   x and y of left eye, right eye, nose, left and right corner of the mouth
                    score       of the detector, 0 to 1
                    crop        if asked for: the aligned face, uint8 BGR (218, 178, 3)
                  of a photo that is an aligned face, box, landmarks and score are None, and the crop is the photo
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
        precision: str = 'fp32',
        detect_pixels: int = 640 * 480,
        consistent: bool = False,
    ):
        if precision not in ('fp32', 'bf16'):
            raise ConfigError(f"there is no precision '{precision}', only 'fp32' and 'bf16'")
        _check_positive('detect_pixels', detect_pixels)
        self.device = _open_device(device or get_device())
        self.trained = load_model(checkpoint, self.device)
        self.model, self.head = self.trained.model, self.trained.head
        self.classes = self.head.classes
        try:
            self.pipeline = pipeline_after_loading(evaluation_pipeline(self.trained.cfg, self.trained.meta))
        # What a transform raises for settings that do not fit is up to it.
        except Exception as error:
            raise DataError(
                f'{checkpoint}: test_dataloader.dataset.pipeline of its config cannot be built ({one_line(error)})'
            ) from error
        self.precision = precision
        self.detect_pixels = detect_pixels
        self.consistent = consistent
        self.detector: Optional[FaceDetector] = None
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
    ) -> Iterator[dict]:
        """Yields the results of photos one by one; no more than a batch is held in memory.

        A photo that cannot be predicted has a result that says so. A warning tells once, at the end, if aligned faces
        have another shape than those of CelebA.

        Args:
            inputs: A path, a folder, an array as OpenCV reads it (BGR), a ``PIL.Image``, or an iterable of these,
                such as a generator.
            batch_size: Number of faces per forward pass.
            aligned: Each photo is an aligned face, so none is detected.
            album: All photos show one person, whose face is the largest in each, and are predicted together. All
                results are held until the last photo.
            return_crops: Add the aligned faces to the results.

        Raises:
            DataError: There is no photo, or a folder has none.
            ConfigError: The detector is missing, the album was fitted to another checkpoint, or ``batch_size`` is not
                positive.
        """
        _check_positive('batch_size', batch_size)
        if album is not None:
            album.check(self.trained.checksum)
        return self._stream(inputs, int(batch_size), aligned, album, return_crops)

    def _stream(self, *options) -> Iterator[dict]:
        frames = _FrameCheck()
        for result in self._results(*options):
            frames.add(result)
            yield result
        if not self._warned:
            self._warned = frames.warn()

    def _results(
        self, inputs: InputsType, batch_size: int, aligned: bool, album: Optional[Album], keep_crops: bool = False
    ) -> Iterator[dict]:
        """:meth:`stream` without the warning."""
        predicted = self._predict(self._detect(inputs, aligned, keep_crops), batch_size)
        if album is not None:
            predicted = self._pool(list(predicted), album)
        for result, _, probabilities in predicted:
            yield self._label(result, probabilities)

    def _detect(self, inputs: InputsType, aligned: bool, keep_crops: bool) -> Iterator[Tuple[dict, List[dict]]]:
        """Yields results without attributes, and what the pipeline makes of their faces."""
        if not aligned and self.detector is None:
            self.detector = FaceDetector(self.detect_pixels)
        for photo in list_photos(inputs):
            path = str(photo) if isinstance(photo, (str, Path)) else None
            result = dict(path=path, size=None, smallest_face=None, faces=[], reason=None, failed=False)
            prepared = []
            try:
                image = read_photo(photo)
                result['size'] = list(image.shape[1::-1])
                if not aligned:
                    result['smallest_face'] = self.detector.smallest_face(image)
                faces = self._find_faces(image, aligned)
                prepared = [self._prepare(face['crop']) for face in faces]
                result['faces'] = faces
                result['reason'] = None if faces else 'no face found'
            except _PHOTO_ERRORS as error:
                result['failed'] = True
                result['reason'] = _describe_error(path, error)
            if not keep_crops:
                for face in result['faces']:
                    del face['crop']
            yield result, prepared

    def _find_faces(self, image: np.ndarray, aligned: bool) -> List[dict]:
        """The faces of a photo without attributes, with crops."""
        if aligned:
            return [dict(attributes={}, box=None, landmarks=None, score=None, crop=image)]
        return [
            dict(
                attributes={},
                box=face.box.round(1).tolist(),
                landmarks=face.landmarks.round(1).tolist(),
                score=face.score,
                crop=align_face(image, face.landmarks),
            )
            for face in self.detector(image)
        ]

    def _predict(
        self, results: Iterable[Tuple[dict, List[dict]]], batch_size: int
    ) -> Iterator[Tuple[dict, np.ndarray, np.ndarray]]:
        """Yields results with logits and probabilities ``(faces, L)``."""
        for batch in _batches(results, batch_size):
            faces = [face for _, prepared in batch for face in prepared]
            logits = [self._logits(faces[i : i + batch_size]) for i in range(0, len(faces), batch_size)]
            # A batch may have no face at all.
            logits = torch.cat([*logits, torch.empty(0, len(self.classes), device=self.device)])
            # One copy from the device.
            logits, probabilities = torch.stack([logits, self.head.probabilities(logits)]).cpu().numpy()
            ends = np.cumsum([len(prepared) for _, prepared in batch])[:-1]
            found = [result for result, _ in batch]
            yield from zip(found, np.split(logits, ends), np.split(probabilities, ends))

    def predict_logits(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        """Logits ``(N, L)`` on the CPU, before calibration, of aligned faces uint8 BGR ``(H, W, 3)``."""
        return self._logits([self._prepare(crop) for crop in crops]).cpu()

    def _prepare(self, crop: np.ndarray) -> dict:
        return self.pipeline(dict(img=crop, img_shape=crop.shape[:2], ori_shape=crop.shape[:2]))

    @torch.inference_mode()
    def _logits(self, prepared: Sequence[dict]) -> torch.Tensor:
        """Logits ``(N, L)`` on the device."""
        _open_device(self.device)
        batch = pseudo_collate(prepared)
        images = batch['inputs']
        if self.device.type != 'cpu' and len({image.shape for image in images}) == 1:
            # One copy to the device, where mmpretrain's preprocessor makes one per image.
            batch['inputs'] = list(to_device(torch.stack(images), self.device))
        batch = self.model.data_preprocessor(batch)
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == 'bf16'):
                logits = self.model(batch['inputs'], mode='tensor')
        except torch.cuda.OutOfMemoryError as error:
            raise ConfigError(
                f'{self.device} lacks the memory for {len(prepared)} faces at once: lower batch_size (--batch-size)'
            ) from error
        return logits.float()

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
            labels = predict_without_conflicts(probabilities, thresholds, self.classes)
        for face, *columns in zip(result['faces'], probabilities.tolist(), labels.tolist()):
            for name, threshold, probability, label in zip(self.classes, thresholds.tolist(), *columns):
                face['attributes'][name] = dict(probability=probability, threshold=threshold, label=label)
        return result

    def visualize(self, photo: PhotoType, result: dict) -> np.ndarray:
        """Draws a photo with its faces, their attributes listed by group, uint8 BGR, as ``cv2.imwrite`` takes it."""
        head = self.trained.cfg.model.head
        return draw_faces(read_photo(photo), result['faces'], (head.get('attr_head') or head).groups)


def _batches(results: Iterable[Tuple[dict, List[dict]]], size: int) -> Iterator[List[Tuple[dict, List[dict]]]]:
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
