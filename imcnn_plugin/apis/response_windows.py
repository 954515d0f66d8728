"""Windows from response maps, as LNets+ANet localizes faces (Liu et al. 2015, arXiv 1411.7766)."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import List, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmpretrain.models import ImageClassifier
from torch.utils.data import DataLoader

from ..models import LNet
from ..progress import track
from .detector_base import _overlap

# Values that are tried for a WindowRule.
_PRIORS = (0.2, 0.25, 0.3, 0.4)
_THRESHOLDS = (0.1, 0.15, 0.2, 0.3)
_WIDTHS = (0.45, 0.55, 0.7, 0.85, 1.0, 1.2)
_ASPECTS = (1.2, 1.35, 1.5)
_SHIFTS = (-0.4, -0.3, -0.2, -0.1, 0.0)
# Number of random steps from window to window, and their standard deviation in sides of the photo.
_STEPS, _STEP = 2000, 0.03


@dataclass(frozen=True)
class Response:
    """The response map of one image, and where that image is in its photo."""

    name: str  # the photo's file
    map: np.ndarray  # (h, w), see response_maps
    window: np.ndarray  # (4, ) left, top, right, bottom of the image in pixels of the photo


@dataclass(frozen=True)
class WindowRule:
    """A rule that derives a window from a response map.

    The map is multiplied by a Gaussian, since photos are centered on faces, and scaled to 0..1. The area and the
    center (mean position) of the responses above the threshold give the window.
    """

    place: Tuple[float, float]  # center of the Gaussian, x and y in sides of the image
    prior: float  # its standard deviation, in sides of the image
    threshold: float  # 0 to 1
    width: float  # of the window, in square roots of the area
    aspect: float  # height by width
    shift: float  # how far the window's center is below that of the response, in halves of its height

    def __call__(self, responses: Sequence[Response]) -> np.ndarray:
        """Windows ``(N, 4)``: left, top, right, bottom in pixels of the photos."""
        outer = np.array([response.window for response in responses], float).reshape(-1, 4)
        found = [_center_and_root(r.map, self.place, self.prior, self.threshold) for r in responses]
        return self._draw(np.array(found).reshape(-1, 3), outer)

    def _draw(self, found: np.ndarray, outer: np.ndarray) -> np.ndarray:
        """Windows ``(N, 4)`` for centers and roots of areas ``(N, 3)`` in images ``(N, 4)``."""
        sides = outer[:, 2:] - outer[:, :2]
        center = outer[:, :2] + found[:, :2] * sides
        half = self.width / 2 * found[:, 2:] * np.sqrt(sides.prod(1, keepdims=True)) * (1, self.aspect)
        center[:, 1] += self.shift * half[:, 1]
        return np.hstack([center - half, center + half])


def place_fixed(fixed: Sequence[float], outer: np.ndarray) -> np.ndarray:
    """Windows ``(N, 4)`` in images ``(N, 4)``: center, width and height are fixed parts of the image's sides."""
    sides = outer[:, 2:] - outer[:, :2]
    center, half = outer[:, :2] + np.array(fixed[:2]) * sides, np.array(fixed[2:]) * sides / 2
    return np.hstack([center - half, center + half])


def window_overlap(windows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union ``(N, )`` of windows and boxes ``(N, 4)``, pair by pair."""
    return _overlap(windows, boxes[:, None])[:, 0]


def _quality(windows: np.ndarray, boxes: np.ndarray) -> float:
    """The share of windows with an overlap of at least 0.5; the mean overlap breaks ties."""
    overlap = window_overlap(windows, boxes)
    return (overlap >= 0.5).mean() + 0.01 * overlap.mean()


def fit_fixed(outer: np.ndarray, boxes: np.ndarray) -> Tuple[float, float, float, float]:
    """The fixed window (:func:`place_fixed`) that overlaps most boxes ``(N, 4)`` by 0.5, by random search."""
    rng = np.random.default_rng(0)
    sides = outer[:, 2:] - outer[:, :2]
    relative = (boxes.reshape(-1, 2, 2) - outer[:, None, :2]) / sides[:, None]
    best = np.median(np.hstack([relative.mean(1), relative[:, 1] - relative[:, 0]]), 0)
    quality = _quality(place_fixed(best, outer), boxes)
    for _ in range(_STEPS):
        tried = best + rng.normal(0, _STEP, 4)
        if (found := _quality(place_fixed(tried, outer), boxes)) >= quality:
            best, quality = tried, found
    return tuple(best.tolist())


def fit_rule(responses: Sequence[Response], boxes: np.ndarray) -> WindowRule:
    """The rule whose windows overlap most boxes ``(N, 4)`` of N images by 0.5, out of 1,440."""
    outer = np.array([response.window for response in responses], float)
    place = fit_fixed(outer, boxes)[:2]
    best, quality = None, -1.0
    for prior, threshold in product(_PRIORS, _THRESHOLDS):
        found = np.array([_center_and_root(response.map, place, prior, threshold) for response in responses])
        for values in product(_WIDTHS, _ASPECTS, _SHIFTS):
            rule = WindowRule(place, prior, threshold, *values)
            if (tried := _quality(rule._draw(found, outer), boxes)) > quality:
                best, quality = rule, tried
    return best


def _center_and_root(
    response: np.ndarray, place: Tuple[float, float], prior: float, threshold: float
) -> Tuple[float, float, float]:
    """x and y of the responses above the threshold in sides of the map, and the root of their relative area."""
    y, x = ((np.arange(size) + 0.5) / size for size in response.shape)
    weight = response * np.exp(-((x - place[0]) ** 2 + (y[:, None] - place[1]) ** 2) / (2 * prior**2))
    low, high = weight.min(), weight.max()
    weight = np.clip((weight - low) / max(high - low, 1e-9) - threshold, 0, None)
    if not weight.any():
        # A map of zeros has no information.
        return *place, 1.0
    total = weight.sum()
    return weight.sum(0) @ x / total, weight.sum(1) @ y / total, np.sqrt((weight > 0).mean())


@torch.inference_mode()
def response_maps(model: ImageClassifier, loader: DataLoader, title: str) -> List[Response]:
    """The response maps of a trained :class:`~imcnn_plugin.models.LNet` for the images of a loader.

    The response at a position tells how much more it supports an attribute than the average position does, averaged
    over attributes: the positive part of the network's map weighted by the head's single layer. Positions outside the
    image are cut off.

    The pipeline scales an image, keeps its aspect ratio, and pads it to a square at the right or the bottom. The
    samples have ``ori_shape`` and, from :class:`~imcnn_plugin.datasets.CropToWindow`, ``window``.
    """
    responses = []
    # Of each attribute, in whatever order, for the channels of the map.
    weight = model.head.banks[0].fc.weight[..., None, None]
    for batch in track(loader, title):
        prepared = model.data_preprocessor(batch)
        evidence = F.conv2d(model.backbone(prepared['inputs'])[-1], weight).float().cpu().numpy()
        side = prepared['inputs'].shape[-1]
        for places, sample in zip(evidence, prepared['data_samples']):
            height, width = sample.ori_shape
            covered = [max(1, round(s * side / max(height, width) / LNet.STRIDE)) for s in (height, width)]
            places = places[:, : covered[0], : covered[1]]
            response = (places - places.mean((1, 2), keepdims=True)).clip(0).mean(0)
            window = np.array(sample.get('window', (0, 0, width, height)))
            responses.append(Response(Path(sample.img_path).name, response, window))
    return responses
