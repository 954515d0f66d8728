from functools import cached_property
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from mmpretrain.apis.base import BaseInferencer

from ..checkpoints.load_model import attribute_head, load_trained, weights_checksum
from ..errors import ConfigError, DataError, in_one_line
from ..visualization.face_labels import draw_faces
from .album import Album
from .face_alignment import align_face
from .face_detection import FaceDetector
from .photos import PhotoType, after_reading, list_photos, read_photo

InputsType = Union[PhotoType, Iterable[PhotoType]]


class FaceAttributeInferencer(BaseInferencer):
    """From photos to named attributes: finds the faces, aligns them as CelebA's are, predicts.

    Args:
        checkpoint: A checkpoint of a training, or a published one. It holds all that is needed: the config, the names
            of the attributes and the calibration. The identity branch is not loaded.
        device: Where the model runs; None takes a GPU where there is one.
        precision: 'fp32', or 'bf16', in which convolutions and products run in half precision.
        detect_pixels: Photos of more pixels are shrunk to so many where faces are looked for, see
            :class:`~imcnn_plugin.apis.face_detection.FaceDetector`.

    Raises:
        DataError: The checkpoint cannot be read.
        ConfigError: Its model predicts no attributes, or there is no such precision or device.

    The result of a photo is a dict::

        path      of the photo; None for an array or a PIL.Image
        faces     the largest first, each a dict:
                    attributes  {name: dict(probability=..., threshold=..., label=...)}; label is whether the
                                probability is at least the threshold
                    box         left, top, right, bottom in pixels of the photo, turned as its EXIF tag says
                    landmarks   x and y of left eye, right eye, nose, left and right corner of the mouth
                    score       of the detector, 0 to 1
                    crop        if asked for: the aligned face, uint8 BGR (218, 178, 3)
                  of a photo that is an aligned face, box, landmarks and score are None, and the crop is the photo
        reason    why there are no faces, else None
        failed    whether that is because the photo cannot be read

    Example:
        >>> inferencer = FaceAttributeInferencer('best.pth')
        >>> face = inferencer('photo.jpg')[0]['faces'][0]
        >>> face['attributes']['Smiling']
        {'probability': 0.97, 'threshold': 0.5, 'label': True}

    mmpretrain's base class makes one list of all inputs and one of all predictions, and counts a photo as one
    prediction. Here photos may be any number and have any number of faces, so :meth:`stream` takes its place.
    """

    def __init__(
        self,
        checkpoint: Union[str, Path],
        device: Union[str, torch.device, None] = None,
        precision: str = 'fp32',
        detect_pixels: int = 640 * 480,
    ):
        if precision not in ('fp32', 'bf16'):
            raise ConfigError(f"there is no precision '{precision}', only 'fp32' and 'bf16'")
        try:
            self.device = torch.empty(0, device=device or get_device()).device
        except (RuntimeError, AssertionError) as error:
            reason = str(error).split('\n')[0]
            raise ConfigError(f"device '{device}' cannot be used ({reason})") from error
        self.checkpoint = checkpoint
        super().__init__(load_trained(checkpoint, self.device))
        self.head = attribute_head(self.model)
        self.classes = self.head.classes
        self.precision = precision
        self.detect_pixels = detect_pixels
        self.detector: Optional[FaceDetector] = None

    @cached_property
    def checksum(self) -> str:
        return weights_checksum(self.model)

    def _init_pipeline(self, config: Config) -> Compose:
        try:
            return after_reading(config.test_dataloader.dataset.pipeline)
        # What a transform raises of settings that do not fit is up to it.
        except Exception as error:
            raise DataError(
                f'{self.checkpoint}: test_dataloader.dataset.pipeline of its config cannot be built '
                f'({in_one_line(error)})'
            ) from error

    def __call__(self, inputs: InputsType, batch_size: int = 32, **kwargs) -> List[dict]:
        """The results of all photos; options as in :meth:`stream`.

        Raises:
            DataError: A photo cannot be read.
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
        """The results of photos one after another, of which no more than a batch is held.

        Args:
            inputs: A path, a folder, an array as OpenCV reads it (BGR), a ``PIL.Image``, or an iterable of these,
                such as a generator.
            batch_size: Number of faces that the model sees at once.
            aligned: Each photo is an aligned face; none is looked for.
            album: All photos are of one person, whose face is the largest of each, and are predicted together. The
                results of all are held until the last one.
            return_crops: Give the aligned faces, too.

        Raises:
            ConfigError: The detector is missing, or the album is not of this checkpoint.
        """
        if album is not None:
            album.check(self.checksum)
        predicted = self._predict(self.preprocess(inputs, aligned), batch_size, return_crops)
        if album is not None:
            predicted = self._pool(list(predicted), album)
        for result, _, probabilities in predicted:
            yield self.postprocess(result, probabilities)

    def preprocess(self, inputs: InputsType, aligned: bool = False) -> Iterator[dict]:
        """Results without attributes, but with crops."""
        if not aligned and self.detector is None:
            self.detector = FaceDetector(self.detect_pixels)
        for photo in list_photos(inputs):
            path = str(photo) if isinstance(photo, (str, Path)) else None
            try:
                image = read_photo(photo)
            except DataError as error:
                yield dict(path=path, faces=[], reason=str(error), failed=True)
                continue
            if aligned:
                faces = [dict(attributes={}, box=None, landmarks=None, score=None, crop=image)]
            else:
                faces = [
                    dict(
                        attributes={},
                        box=face.box.round(1).tolist(),
                        landmarks=face.landmarks.round(1).tolist(),
                        score=face.score,
                        crop=align_face(image, face.landmarks),
                    )
                    for face in self.detector(image)
                ]
            yield dict(path=path, faces=faces, reason=None if faces else 'no face found', failed=False)

    def _predict(
        self, results: Iterable[dict], batch_size: int, keep_crops: bool
    ) -> Iterator[Tuple[dict, np.ndarray, np.ndarray]]:
        """Results with logits and probabilities ``(faces, L)``."""
        for batch in batches(results, batch_size):
            faces = [face for result in batch for face in result['faces']]
            crops = [face['crop'] if keep_crops else face.pop('crop') for face in faces]
            parts = [self.forward(crops[i : i + batch_size]) for i in range(0, len(crops), batch_size)]
            # Without a face there is no part.
            parts.append(torch.empty(0, len(self.classes)))
            logits = torch.cat(parts)
            probabilities = self.head.probabilities(logits.to(self.device)).cpu().numpy()
            ends = np.cumsum([len(result['faces']) for result in batch])[:-1]
            yield from zip(batch, np.split(logits.numpy(), ends), np.split(probabilities, ends))

    @torch.inference_mode()
    def forward(self, crops: Sequence[np.ndarray]) -> torch.Tensor:
        """Logits ``(N, L)`` on the CPU, before calibration, of aligned faces uint8 BGR ``(H, W, 3)``."""
        prepared = [self.pipeline(dict(img=x, img_shape=x.shape[:2], ori_shape=x.shape[:2])) for x in crops]
        batch = {key: [record[key] for record in prepared] for key in ('inputs', 'data_samples')}
        batch = self.model.data_preprocessor(batch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == 'bf16'):
            logits = self.model(batch['inputs'], mode='tensor')
        return logits.float().cpu()

    def _pool(
        self, predicted: List[Tuple[dict, np.ndarray, np.ndarray]], album: Album
    ) -> List[Tuple[dict, np.ndarray, np.ndarray]]:
        """Replaces the probabilities of the largest face of each photo."""
        faces = [(logits[0], probabilities[0]) for _, logits, probabilities in predicted if len(logits)]
        if faces:
            pooled = iter(album.probabilities(*(np.stack(field) for field in zip(*faces))))
            for _, logits, probabilities in predicted:
                if len(logits):
                    probabilities[0] = next(pooled)
        return predicted

    def postprocess(self, result: dict, probabilities: np.ndarray) -> dict:
        """Gives the faces of a result their attributes, from probabilities ``(faces, L)``."""
        thresholds = self.head.thresholds.cpu().numpy()
        for face, values in zip(result['faces'], probabilities):
            labels = values >= thresholds
            for name, value, threshold, label in zip(self.classes, values, thresholds, labels):
                face['attributes'][name] = dict(
                    probability=float(value), threshold=float(threshold), label=bool(label)
                )
        return result

    def visualize(self, photo: PhotoType, result: dict) -> np.ndarray:
        """A photo with its faces and their most certain attributes, uint8 BGR, as ``cv2.imwrite`` takes it."""
        return draw_faces(read_photo(photo), result['faces'])


def batches(results: Iterable[dict], size: int) -> Iterator[List[dict]]:
    """Lists of photos that have ``size`` faces together, or a little more, or are so many."""
    batch, faces = [], 0
    for result in results:
        batch.append(result)
        faces += len(result['faces'])
        if max(faces, len(batch)) >= size:
            yield batch
            batch, faces = [], 0
    if batch:
        yield batch
