"""CelebA's alignment: a similarity transform of five landmarks to a template of 178 x 218 pixels."""

from typing import Tuple

import cv2
import numpy as np

from ..errors import DataError

# Left and right eye as seen in the image, nose, left and right corner of the mouth: x, y.
TEMPLATE = np.array([[69, 111], [108, 111], [88, 135], [73, 152], [106, 152]], float)
# Width and height.
SIZE = (178, 218)


def _fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least-squares rotation, scale and translation from points to other points.

    On the images that CelebA's authors aligned, this is as accurate as OpenCV's robust estimates and, with noisy
    landmarks, more accurate, since none of five points can be treated as an outlier. The points ``(P, 2)`` must not
    all be the same. The result is a matrix ``(2, 3)``: a target is its left square times the source plus its last
    column.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    # As complex numbers, a rotation with a scale is one factor.
    x, y = ((points - mean) @ (1, 1j) for points, mean in ((source, source_mean), (target, target_mean)))
    factor = np.vdot(x, y) / np.vdot(x, x).real
    turn = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.column_stack([turn, target_mean - turn @ source_mean])


def align_face(image: np.ndarray, landmarks: np.ndarray, size: Tuple[int, int] = SIZE) -> np.ndarray:
    """Crops and aligns a face like CelebA's aligned images, uint8 ``(218, 178, 3)``.

    Pixels outside the photo repeat its border, as in CelebA.

    Args:
        image: uint8 ``(H, W, 3)``.
        landmarks: ``(5, 2)``, x and y in pixels, in the order of :data:`TEMPLATE`.
        size: Width and height of the result, which shows the same region of the photo at any size.

    Raises:
        DataError: The landmarks are all the same point, or not numbers.
    """
    matrix = _fit_template(landmarks)
    # Its rows give x and y, which are resized as points are in _rescale_points.
    ratio = np.divide(size, SIZE)
    matrix = np.column_stack([matrix[:, :2] * ratio[:, None], matrix[:, 2] * ratio + (ratio - 1) / 2])
    return _warp(image, matrix, size)


def _fit_template(landmarks: np.ndarray) -> np.ndarray:
    """The transform ``(2, 3)`` of :func:`align_face`."""
    landmarks = np.asarray(landmarks, float)
    if not np.ptp(landmarks, 0).max() > 0:
        raise DataError(f'a face cannot be aligned by the landmarks {landmarks.tolist()}')
    return _fit_similarity(landmarks, TEMPLATE)


def _enlargement(landmarks: np.ndarray) -> float:
    """The factor by which :func:`align_face` enlarges a face with these landmarks."""
    return float(np.linalg.norm(_fit_template(landmarks)[:, 0]))


def _warp(image: np.ndarray, matrix: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """An image ``(H, W, 3)`` after a similarity ``(2, 3)``, of this width and height, its border repeated."""
    scale = np.linalg.norm(matrix[:, 0])
    # Only the visible part of a large photo is processed, and two pixels around it for the interpolation.
    width, height = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) - 0.5
    corners = _transform(corners, cv2.invertAffineTransform(matrix))
    margin, last = 2 / min(scale, 1), np.array(image.shape[1::-1]) - 1
    start = np.clip(corners.min(0) - margin, 0, last).astype(int)
    left, top = start
    right, bottom = np.clip(corners.max(0) + margin, 0, last).astype(int) + 1
    image, ratio = image[top:bottom, left:right], np.ones(2)
    if scale < 1:
        # A warp alone would skip pixels.
        shrunk = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        ratio = np.array(image.shape[1::-1]) / shrunk
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    # The same transform from what the image is now, as in _rescale_points.
    linear, shift = matrix[:, :2], matrix[:, 2]
    matrix = np.column_stack([linear * ratio, linear @ (start + 0.5 * ratio - 0.5) + shift])
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points ``(P, 2)`` after an affine transform ``(2, 3)``."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def _rescale_points(points: np.ndarray, old: tuple, new: tuple) -> np.ndarray:
    """Points ``(P, 2)`` of an image of shape ``(H, W, ...)`` in that image resized to another shape."""
    # The center of the first pixel is 0, its edge -0.5.
    return (points + 0.5) * (new[1] / old[1], new[0] / old[0]) - 0.5
