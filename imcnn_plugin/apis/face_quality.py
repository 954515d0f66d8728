import cv2
import numpy as np

from .face_alignment import _enlargement, _fit_template, _transform

# The mean accuracy of a small network on 400 photos of CelebA is one point lower if they are shrunk or blurred to
# these limits, and falls further beyond them. None of the photos has a face that is turned so far.
_SMALL, _BLURRED, _TURNED = 20, 0.2, 0.5
# The width of a face's box in a face that is aligned like CelebA's, in pixels.
_FACE_WIDTH = 84
# The rows and columns of an aligned image that show the face, without hair and background.
_INNER = (slice(60, 190), slice(30, 148))


def face_quality(crop: np.ndarray, landmarks: np.ndarray) -> dict:
    """Estimates from the image of a face how far its prediction can be trusted.

    Args:
        crop: The aligned face, uint8 BGR ``(218, 178, 3)``, of :func:`~imcnn_plugin.apis.align_face`.
        landmarks: ``(5, 2)``, x and y in pixels of the photo, in the order of :data:`~imcnn_plugin.apis.TEMPLATE`.

    Returns:
        A dict::

            size       the width of the face in pixels of the photo; small below 20
            sharpness  the standard deviation of the Laplacian of its gray levels, at half the size of the crop,
                       divided by that of the gray levels; 0.4 to 0.8 in good photos, blurred below 0.2
            turn       the horizontal distance of the nose from the midpoint between the eyes, divided by the distance
                       of the eyes; 0 in a frontal face, turned from 0.5, where the nose is below an eye
            doubts     a list of those of 'small', 'blurred' and 'turned' that apply; a prediction with doubts is
                       unreliable. The inferencer adds 'undetected' if no face is detected in a given box
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)[_INNER]
    half = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.float32)
    sharpness = float(cv2.Laplacian(half, cv2.CV_32F).std() / max(half.std(), 1))
    left, right, nose = _transform(np.asarray(landmarks), _fit_template(landmarks))[:3, 0]
    turn = abs(nose - (left + right) / 2) / max(abs(right - left), 1)
    size = _FACE_WIDTH / _enlargement(landmarks)
    limits = dict(small=size < _SMALL, blurred=sharpness < _BLURRED, turned=turn >= _TURNED)
    return dict(
        size=round(size, 1),
        sharpness=round(sharpness, 3),
        turn=round(float(turn), 3),
        doubts=[name for name, applies in limits.items() if applies],
    )
