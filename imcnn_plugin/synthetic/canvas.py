"""The canvas that synthetic faces are drawn on, and the outlines they consist of.

Coordinates are those of CelebA's aligned 178 x 218 images, with x measured from the midline of the face: the eyes are
at (-19.5, 111) and (19.5, 111), the tip of the nose at (0, 135), the corners of the mouth at (-16.5, 152) and
(16.5, 152). Colors are RGB in 0..255.
"""

import cv2
import numpy as np

WIDTH, HEIGHT, MIDLINE = 178, 218, 88.5
# Drawing at twice the size and averaging removes the jagged edges that cv2's own anti-aliasing leaves on thin shapes.
SUPERSAMPLING = 2


class _Canvas:
    """The image that shapes are blended into.

    Shapes are ``(N, 2)`` arrays of template coordinates; the canvas applies the pose. ``depth`` is the distance in
    front of the eyes, relative to the tip of the nose: turning the head shifts shapes in proportion to it.
    """

    def __init__(self, view):
        self.size = np.array([WIDTH, HEIGHT]) * SUPERSAMPLING
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
        region += (np.asarray(color, np.float32)[:, None, None] - region) * weight

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
        placed = [self.place(shape, depth) for shape in shapes]
        corners = np.concatenate(placed)
        margin = 3 + (soft * 2 + width) * self.zoom
        low = np.clip(np.floor(corners.min(0) - margin).astype(int), 0, self.size)
        high = np.clip(np.ceil(corners.max(0) + margin).astype(int), low, self.size)
        mask = np.zeros((high - low)[::-1], np.uint8)
        if mask.size:
            fixed = [np.round((points - low) * 16).astype(np.int32) for points in placed]
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


def _curve(*points, closed=False, steps=6):
    """Smooth (Catmull-Rom) line ``(N, 2)`` through points."""
    points = np.array(points, float)
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    padded = np.concatenate([ends[0], points, ends[1]])
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    line = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    line = line.reshape(-1, 2)
    return line if closed else np.concatenate([line, points[-1:]])


def _ellipse(x, y, rx, ry, degrees=0):
    angle, tilt = np.linspace(0, 2 * np.pi, 24, endpoint=False), np.deg2rad(degrees)
    u, v = rx * np.cos(angle), ry * np.sin(angle)
    return np.stack([x + u * np.cos(tilt) - v * np.sin(tilt), y + u * np.sin(tilt) + v * np.cos(tilt)], 1)


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
