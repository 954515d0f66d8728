import numpy as np
import pytest
from PIL import Image, ImageChops

from imcnn_plugin.visualization.face_overlay import (
    LINE,
    MARGIN,
    MAX_ATTRIBUTES,
    MAX_SIDE,
    MIN_SIDE,
    _describe,
    draw_faces,
)


def face(box=None, **probabilities):
    return dict(box=box, attributes={name: dict(probability=p, label=p >= 0.5) for name, p in probabilities.items()})


MANY = face([10, 20, 40, 60], **{f'attribute_{i}': 0.5 + i / 100 for i in range(30)})


@pytest.mark.parametrize('shape', [(20, 30), (400, 300), (4000, 1000), (1, 900)])
def test_photos_are_resized_to_a_legible_size(shape):
    drawn = draw_faces(np.zeros((*shape, 3), np.uint8), [])
    longer = max(shape)
    scale = min(max(longer, MIN_SIDE), MAX_SIDE) / longer
    height, width = (max(1, round(side * scale)) for side in shape)
    assert drawn.shape[0] == max(height, 2 * MARGIN + LINE)
    # The photo is unchanged, with text beside it.
    assert (drawn[:height, :width] == 0).all() and (drawn[:, width:] == 255).any() and (drawn[:, width:] == 0).any()


def test_lists_the_most_probable_attributes():
    found = face(None, Young=0.8, Wearing_Hat=0.97, Male=0.3, Smiling=0.6)
    lines = [text for text, _ in _describe(found, 1, 2)]
    assert lines == ['Face 1', 'Wearing Hat 97 %', 'Young 80 %']
    lines = [text for text, _ in _describe(found, 2, MAX_ATTRIBUTES)]
    assert lines[1:] == [
        'Wearing Hat 97 %',
        'Young 80 %',
        'Smiling 60 %',
    ]


@pytest.mark.parametrize('scale', [1, 8])
def test_boxes_are_around_the_faces(scale):
    photo = np.full((100 * scale, 80 * scale, 3), 90, np.uint8)
    drawn = draw_faces(photo, [face([10 * scale, 20 * scale, 40 * scale, 60 * scale], Male=1.0)])
    shown = draw_faces(photo, [])
    width = round(80 * max(100 * scale, MIN_SIDE) / 100 / scale) if scale == 1 else 80 * scale
    changed = np.argwhere((drawn[:, :width] != shown[:, :width]).any(2))
    factor = drawn.shape[0] / 100
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert left == pytest.approx(10 * factor, abs=2) and right == pytest.approx(40 * factor, abs=2)
    # The number is above the box.
    assert top == pytest.approx(20 * factor - LINE, abs=2) and bottom == pytest.approx(60 * factor, abs=2)


def test_many_faces_share_the_space_and_all_are_listed():
    one = draw_faces(np.zeros((640, 640, 3), np.uint8), [MANY])
    several = draw_faces(np.zeros((640, 640, 3), np.uint8), [MANY] * 5)
    crowd = draw_faces(np.zeros((640, 640, 3), np.uint8), [MANY] * 40)
    assert one.shape[0] == several.shape[0] == 640
    # Each face has its number and one attribute.
    assert crowd.shape[0] == 2 * MARGIN + 80 * LINE


def test_keeps_colors():
    photo = np.zeros((700, 700, 3), np.uint8)
    photo[..., 2] = 255
    drawn = Image.fromarray(draw_faces(photo, [])[:, :700, ::-1])
    assert ImageChops.difference(drawn, Image.new('RGB', drawn.size, 'red')).getbbox() is None
