import numpy as np
import pytest
from PIL import Image, ImageChops, ImageColor, ImageDraw

from imcnn_plugin.attributes import ATTRIBUTES, FOUR_GROUPS, NINE_GROUPS
from imcnn_plugin.visualization import face_overlay
from imcnn_plugin.visualization.face_overlay import COLUMN, LINE, MARGIN, MAX_SIDE, MIN_SIDE, _describe, draw_faces


def face(box=None, **probabilities):
    return dict(
        box=box,
        attributes={
            name: dict(probability=value, threshold=0.5, label=value >= 0.5) for name, value in probabilities.items()
        },
    )


EVERYTHING = face([10, 20, 40, 60], **{name: 0.46 + i / 100 for i, name in enumerate(ATTRIBUTES)})


@pytest.fixture
def texts(monkeypatch):
    """What is drawn: each text with its place, the size of the image, and the colors of the text and below it."""
    drawn, original = [], ImageDraw.ImageDraw.text

    def text(self, corner, text, fill, font):
        left, top, right, bottom = font.getbbox(text, anchor='la')
        place = (corner[0] + left, corner[1] + top, corner[0] + right, corner[1] + bottom)
        # Numbers do not fit into a photo of one row.
        below = self.im.getpixel(tuple(int(np.clip(x, 0, side - 1)) for x, side in zip(corner, self.im.size)))
        drawn.append((text, place, self.im.size, ImageColor.getrgb(fill), below))
        original(self, corner, text, fill=fill, font=font)

    monkeypatch.setattr(ImageDraw.ImageDraw, 'text', text)
    return drawn


def contrast(*colors):
    """Of WCAG 2.2, from sRGB colors in 0 to 255."""

    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(color) / 255]
        return np.dot(linear, (0.2126, 0.7152, 0.0722))

    low, high = sorted(map(luminance, colors))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    # A well-known pair, the lightest grey on white that passes.
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)


def test_every_text_is_legible(texts):
    draw_faces(np.full((300, 400, 3), 90, np.uint8), [EVERYTHING] * 7)
    # The numbers in the photo, the headings, and the lists.
    assert {'1', '7', 'Face 1', 'Face 7', 'Eyes:'} <= {text for text, *_ in texts}
    assert len({below for *_, below in texts}) == 7, 'six colors of faces, and white'
    assert min(contrast(color, below) for *_, color, below in texts) >= 4.5


@pytest.mark.parametrize('number', [1, 15])
@pytest.mark.parametrize('shape', [(20, 30), (3000, 20), (1, 900)])
def test_nothing_is_cut_and_nothing_is_missing(texts, shape, number):
    faces = [EVERYTHING] * number
    longest = 'A_name_that_is_longer_than_a_line_' * 2 + 'of_' + 'letters' * 20
    faces.append(face(None, Own=0.9, **{longest: 0.8}))
    drawn = draw_faces(np.zeros((*shape, 3), np.uint8), faces)
    listed = [item for item in texts if item[2][0] == COLUMN or item[2][0] == COLUMN - 76]
    for _, (left, top, right, bottom), (width, height), *_ in listed:
        assert left >= 0 and top >= 0 and right <= width - MARGIN and bottom <= height
    words = ' '.join(text for text, *_ in listed)
    for name in ATTRIBUTES:
        assert words.count(f'{name.replace("_", " ")} ') >= number
    assert longest.replace('_', '') in words.replace(' ', '')
    # All of the list is on the picture, on white.
    assert drawn.shape[0] * drawn.shape[1] >= sum(size[0] * LINE for *_, size, _, _ in listed) / 40
    assert (drawn[-MARGIN // 2 :, -MARGIN // 2 :] == 255).all()


def test_lists_what_is_found_and_what_is_near_by_group():
    found = face(None, Young=0.8, Wearing_Hat=0.97, Male=0.44, Smiling=0.6, Mouth_Slightly_Open=0.9, Big_Lips=0.46)
    lines = [[text for text, _ in line] for line in _describe(found['attributes'], NINE_GROUPS)]
    assert lines == [
        ['Mouth:', 'Mouth Slightly Open 90 %,', 'Smiling 60 %,', '(Big Lips 46 %)'],
        ['Face:', 'Young 80 %'],
        ['Around Head:', 'Wearing Hat 97 %'],
    ]
    [middle] = _describe(face(None, Big_Nose=0.7)['attributes'], FOUR_GROUPS)
    assert middle[0][0] == 'Middle:'
    # Labels decide, also if they are not those of the thresholds.
    values = dict(Goatee=dict(probability=0.6, threshold=0.5, label=False), own=dict(probability=1, label=True))
    lines = [[text for text, _ in line] for line in _describe(values, NINE_GROUPS)]
    assert lines == [['Facial Hair:', '(Goatee 60 %)'], ['Other:', 'own 100 %']]


@pytest.mark.parametrize(
    'faces, said',
    [
        ([], ['no face']),
        ([face(None, Male=0.1)], ['nothing found']),
        ([face(None, Male=0.46)], ['(Male 46 %)', '(In brackets): just below the threshold, not found.']),
        ([face(None, Male=0.9)] * 205, ['5 more faces have a number in the photo alone.']),
    ],
)
def test_says_what_is_not_there(texts, faces, said):
    draw_faces(np.zeros((100, 100, 3), np.uint8), faces)
    found = {text for text, *_ in texts}
    assert set(said) <= found
    assert len([text for text in found if text.startswith('Face ')]) == min(len(faces), face_overlay.MAX_FACES)


@pytest.mark.parametrize('shape', [(20, 30), (400, 300), (4000, 1000), (1, 900)])
def test_photos_are_resized_to_a_legible_size(shape):
    drawn = draw_faces(np.zeros((*shape, 3), np.uint8), [])
    longer = max(shape)
    scale = min(max(longer, MIN_SIDE), MAX_SIDE) / longer
    height, width = (max(1, round(side * scale)) for side in shape)
    # The photo is unchanged, with text beside or below it.
    assert (drawn[:height, :width] == 0).all()
    drawn[:height, :width] = 255
    assert (drawn == 255).all(2).any() and (drawn < 128).any()


@pytest.mark.parametrize('scale', [1, 8])
def test_boxes_are_around_the_faces(scale):
    photo = np.full((100 * scale, 80 * scale, 3), 90, np.uint8)
    drawn = draw_faces(photo, [face([10 * scale, 20 * scale, 40 * scale, 60 * scale], Male=1.0)])
    shown = draw_faces(photo, [])
    factor = max(100 * scale, MIN_SIDE) / 100
    height, width = round(100 * factor), round(80 * factor)
    changed = np.argwhere((drawn[:height, :width] != shown[:height, :width]).any(2))
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert left == pytest.approx(10 * factor, abs=2) and right == pytest.approx(40 * factor, abs=2)
    # The number is above the box.
    assert top == pytest.approx(20 * factor - LINE, abs=2) and bottom == pytest.approx(60 * factor, abs=2)


@pytest.mark.parametrize('box', [[-50, -50, 900, 900], [630, 0, 700, 700], [600, 300, 600, 300], [700, 700, 800, 800]])
def test_a_number_stays_in_the_photo(texts, box):
    draw_faces(np.zeros((640, 640, 3), np.uint8), [face(None)] * 99 + [face(box, Male=1.0)])
    [(_, (left, top, right, bottom), *_)] = [item for item in texts if item[0] == '100']
    assert 0 <= left and right <= 640 and 0 <= top and bottom <= 640


def test_keeps_colors():
    photo = np.zeros((700, 700, 3), np.uint8)
    photo[..., 2] = 255
    drawn = Image.fromarray(draw_faces(photo, [])[:700, :700, ::-1])
    assert ImageChops.difference(drawn, Image.new('RGB', drawn.size, 'red')).getbbox() is None
