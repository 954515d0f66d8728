"""The canvas that synthetic faces are drawn on, and the outlines they consist of.

Coordinates are those of CelebA's aligned 178 x 218 images, with x measured from the midline of the face: the eyes are
at (-19.5, 111) and (19.5, 111), the tip of the nose at (0, 135), the corners of the mouth at (-16.5, 152) and
(16.5, 152). Colors are RGB in 0..255.
"""

from functools import lru_cache
from math import ceil, cos, floor, radians, sin

import cv2
import numpy as np

WIDTH, HEIGHT, MIDLINE = 178, 218, 88.5
# Drawing at twice the size and averaging removes the jagged edges that cv2's own anti-aliasing leaves on thin shapes.
SUPERSAMPLING = 2

_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_COSINES, _SINES = np.cos(_ANGLES), np.sin(_ANGLES)


class _Canvas:
    """The image that shapes are blended into.

    Shapes are ``(N, 2)`` arrays of template coordinates; the canvas applies the pose. ``depth`` is the distance in
    front of the eyes, relative to the tip of the nose: turning the head shifts shapes in proportion to it.
    """

    def __init__(self, view):
        self.size = (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING)
        self.turn = view.turn
        angle = np.deg2rad(view.angle)
        self.zoom = view.scale * SUPERSAMPLING
        self.matrix = self.zoom * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        # The pose keeps the middle of the face in place, like alignment.
        self.centre = np.array([0.0, 125.0])
        self.target = (np.array([MIDLINE, 125.0]) + view.shift) * SUPERSAMPLING
        top, bottom = view.background[..., None, None].astype(np.float32)
        ramp = np.linspace(0, 1, self.size[1], dtype=np.float32)[:, None]
        # One plane per color: NumPy blends planes several times faster than interleaved pixels.
        self.planes = np.repeat(top + (bottom - top) * ramp, self.size[0], axis=2)

    def paint(self, shapes, color, alpha=1.0, soft=0.0, depth=0.0, width=0.0, clip=None):
        """Blends closed shapes, or open lines of a ``width``, blurred by ``soft`` pixels, inside the mask ``clip``."""
        x0, y0, mask = self._mask(shapes, soft, depth, width)
        if not mask.size:
            return
        rows, columns = slice(y0, y0 + mask.shape[0]), slice(x0, x0 + mask.shape[1])
        if clip is not None:
            mask = cv2.multiply(mask, clip[rows, columns], scale=1 / 255)
        weight = mask * np.float32(alpha / 255)
        region = self.planes[:, rows, columns]
        change = np.asarray(color, np.float32)[:, None, None] - region
        change *= weight
        region += change

    def clip(self, shapes, depth=0.0):
        """Mask of shapes, as large as the canvas, uint8 in 0..255."""
        full = np.zeros(self.size[::-1], np.uint8)
        x0, y0, mask = self._mask(shapes, 0, depth, 0)
        full[y0 : y0 + mask.shape[0], x0 : x0 + mask.shape[1]] = mask
        return full

    def place(self, shape, depth):
        """Transforms a shape ``(N, 2)`` to canvas pixels."""
        return (shape + (self.turn * depth, 0) - self.centre) @ self.matrix.T + self.target

    def _mask(self, shapes, soft, depth, width):
        """The left and top edge of the region that shapes cover, and their uint8 mask in this region."""
        corners = self.place(np.concatenate(shapes), depth)
        margin = 3 + (soft * 2 + width) * self.zoom
        # NumPy takes several times longer for single numbers.
        low = [min(max(floor(least - margin), 0), size) for least, size in zip(corners.min(0).tolist(), self.size)]
        high = [
            min(max(ceil(most + margin), first), size)
            for most, first, size in zip(corners.max(0).tolist(), low, self.size)
        ]
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        if mask.size:
            corners = np.round((corners - low) * 16).astype(np.int32)
            fixed = []
            for shape in shapes:
                fixed.append(corners[: len(shape)])
                corners = corners[len(shape) :]
            if width:
                cv2.polylines(mask, fixed, False, 255, max(1, round(width * self.zoom)), cv2.LINE_AA, 4)
            else:
                for points in fixed:
                    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
            kernel = int(soft * self.zoom) | 1
            if kernel > 1:
                # Two box filters: close to a Gaussian, and as fast for wide blurs as for narrow ones.
                for _ in range(2):
                    mask = cv2.blur(mask, (kernel, kernel), borderType=cv2.BORDER_REPLICATE)
        return low[0], low[1], mask

    def shrink(self, view, blurry):
        """Averages and blurs; returns an RGB image, float32 ``(218, 178, 3)``."""
        image = cv2.resize(cv2.merge(list(self.planes)), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(image, (0, 0), view.blur) if blurry else image

    def finish(self, view, blurry):
        """Averages, blurs, lights and adds noise; returns an RGB image, uint8 ``(218, 178, 3)``."""
        image = self.shrink(view, blurry)
        x, y = np.linspace(-1, 1, WIDTH)[None, :], np.linspace(-1, 1, HEIGHT)[:, None]
        light = (view.gain + view.light[0] * x + view.light[1] * y).astype(np.float32)
        image = image * light[..., None] * view.tint.astype(np.float32) + view.noise
        return np.clip(np.round(image), 0, 255).astype(np.uint8)


@lru_cache
def _fractions(steps):
    return np.linspace(0, 1, steps, endpoint=False)


def _curve(*points, closed=False, steps=6):
    """Smooth (Catmull-Rom) line ``(N, 2)`` through points."""
    points = np.array(points, float)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([ends[0], points, ends[1]])
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = _fractions(steps)[:, None]
    line = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    line = line.reshape(-1, 2)
    return line if closed else np.concatenate([line, points[-1:]])


def _ellipse(x, y, rx, ry, degrees=0):
    u, v = rx * _COSINES, ry * _SINES
    tilt = radians(degrees)
    return np.stack([x + u * cos(tilt) - v * sin(tilt), y + u * sin(tilt) + v * cos(tilt)], 1)


def _both_sides(shape):
    """A shape and its mirror image."""
    return [shape, shape * (-1, 1)]


def _symmetric(*half):
    """Closed smooth outline from the points of its right half, top to bottom."""
    left = [(-x, y) for x, y in half[::-1] if x]
    return _curve(*half, *left, closed=True)


def _mix(color, other, weight):
    """Blend of two colors, with ``weight`` for ``other``."""
    return np.asarray(color, float) * (1 - weight) + np.asarray(other, float) * weight


def _lighten(color, factor, offset=0):
    return np.minimum(color * factor + offset, 255)
