from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from imcnn_plugin.apis import (
    Response,
    WindowRule,
    fit_fixed,
    fit_rule,
    place_fixed,
    response_maps,
    window_overlap,
)


def draw(rng, number):
    """Drawn responses of stride 8: a blob where the face is, on noise. Returns them and the faces' boxes."""
    responses, boxes = [], []
    for i in range(number):
        width, height = rng.integers(10, 16, 2)
        half = rng.uniform(8, 16)
        x, y = rng.uniform(half, 8 * width - half), rng.uniform(half, 8 * height - half)
        columns, rows = 8 * (np.arange(width) + 0.5), 8 * (np.arange(height)[:, None] + 0.5)
        blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (0.7 * half) ** 2)
        responses.append(
            Response(f'{i}.jpg', blob + 0.1 * rng.random(blob.shape), np.array((0, 0, 8 * width, 8 * height)))
        )
        boxes.append((x - half, y - 1.2 * half, x + half, y + 1.2 * half))
    return responses, np.array(boxes)


def test_windows_follow_the_drawn_faces():
    rng = np.random.default_rng(0)
    rule = fit_rule(*draw(rng, 60))
    responses, boxes = draw(rng, 100)
    overlap = window_overlap(rule(responses), boxes)
    assert (overlap >= 0.5).mean() > 0.7
    outer = np.array([response.window for response in responses])
    fixed = place_fixed(fit_fixed(outer, boxes), outer)
    assert (window_overlap(fixed, boxes) >= 0.5).mean() < 0.4


def test_a_window_is_in_pixels_of_the_photo_that_the_image_was_cut_from():
    response = np.zeros((4, 8))
    response[1:3, 6] = 1
    rule = WindowRule((0.5, 0.5), 100, threshold=0.5, width=2, aspect=1.5, shift=0.2)
    [window] = rule([Response('a.jpg', response, np.array((100, 50, 180, 90)))])
    # Two places of 10 x 10 pixels around (165, 70): the window is twice the root of their area wide.
    half = np.sqrt(200) * np.array((1, 1.5))
    np.testing.assert_allclose(
        window, np.hstack([(165, 70) - half, (165, 70) + half]) + (0, 0.2 * half[1]) * 2, rtol=1e-4
    )


def test_of_two_places_the_one_near_the_center_counts():
    response = np.zeros((8, 8))
    response[3, 3] = response[7, 7] = 1
    [window] = WindowRule((0.4, 0.4), 0.2, 0.3, 1, 1, 0)([Response('a.jpg', response, np.array((0, 0, 80, 80)))])
    np.testing.assert_allclose(window, (30, 30, 40, 40))


def test_a_map_of_zeros_gives_a_window():
    rule = WindowRule((0.4, 0.5), 0.2, 0.3, 0.5, 1, 0)
    [window] = rule([Response('a.jpg', np.zeros((4, 4)), np.array((0, 0, 80, 80)))])
    np.testing.assert_allclose(window, (12, 20, 52, 60))


def test_the_fixed_window_overlaps_most_boxes():
    """Two thirds of the faces are in the left half, so the best window is there and not between the two places."""
    outer = np.tile((0, 0, 100, 100), (60, 1))
    boxes = np.array([(10, 20, 40, 60) if i % 3 else (60, 20, 90, 60) for i in range(60)], float)
    fixed = fit_fixed(outer, boxes)
    assert (window_overlap(place_fixed(fixed, outer), boxes) >= 0.5).mean() == pytest.approx(2 / 3)


def test_overlap_is_pair_by_pair():
    windows, boxes = (
        np.array([(0, 0, 2, 2), (0, 0, 2, 2), (0, 0, 1, 1)]),
        np.array([(0, 0, 2, 2), (1, 0, 3, 2), (5, 5, 6, 6)]),
    )
    np.testing.assert_allclose(window_overlap(windows, boxes), (1, 1 / 3, 0))


def test_response_is_what_a_place_adds_to_the_evidence_for_attributes():
    """A photo of 48 x 80 pixels in an input of 32 covers 2 x 4 places of the map, and a crop knows its window."""
    feats, weight = torch.randn(2, 3, 4, 4), torch.randn(5, 3)
    model = SimpleNamespace(
        data_preprocessor=lambda batch: batch,
        backbone=lambda inputs: (None, feats),
        head=SimpleNamespace(banks=[SimpleNamespace(fc=SimpleNamespace(weight=weight))]),
    )
    samples = [DataSample(metainfo=dict(ori_shape=(48, 80), img_path='x/a.jpg')) for _ in range(2)]
    samples[1].window = (7, 8, 87, 56)
    batch = dict(inputs=torch.zeros(2, 3, 32, 32), data_samples=samples)
    first, second = response_maps(model, [batch], 'maps')
    for found, x in zip((first, second), feats):
        assert found.name == 'a.jpg' and found.map.shape == (2, 4)
        expected = np.zeros((2, 4))
        for row in weight:
            evidence = (row[:, None, None] * x[:, :2]).sum(0).numpy()
            expected += np.maximum(evidence - evidence.mean(), 0) / 5
        np.testing.assert_allclose(found.map, expected, rtol=1e-4)
    assert first.window.tolist() == [0, 0, 80, 48] and second.window.tolist() == [7, 8, 87, 56]
