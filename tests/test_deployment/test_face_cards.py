from html.parser import HTMLParser

import numpy as np
import pytest

from imcnn_plugin.deployment.face_cards import _Photo, _place, _render_message, _render_photos

HOSTILE = '<img src=x onerror=alert(1)>"\''
GROUPS = [dict(name='AroundHead', labels=['Wearing_Hat', 'Bald']), dict(name='Gender', labels=[HOSTILE])]


class Cards(HTMLParser):
    """Tags with their attributes, and the rows of the tables as lists of words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.text, self.inside = [], [], '', False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == 'tr':
            self.rows.append([])
        elif tag in ('th', 'td'):
            self.rows[-1].append('')
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ('th', 'td')

    def handle_data(self, data):
        self.text += data
        if self.inside:
            self.rows[-1][-1] += data.strip()


def render(name, image, faces):
    return _render_photos([_Photo(name, image, dict(faces=faces))], GROUPS, {})


def face(box, *probabilities):
    values = [dict(probability=p, threshold=t, label=p >= t) for p, t in zip(probabilities, (0.25, 0.5, 0.75))]
    attributes = dict(zip(('Wearing_Hat', HOSTILE, 'Bald'), values))
    return dict(box=box, attributes=attributes, crop=np.full((218, 178, 3), 99, np.uint8), quality=None)


def test_every_attribute_is_a_row():
    photo = np.zeros((200, 100, 3), np.uint8)
    cards = Cards(render('a.jpg', photo, [face([10, 20, 40, 60], 0.3, 0.5, 0.7)]))
    assert cards.rows == [
        [HOSTILE, '', '50 %'],
        ['Wearing Hat', '', '30 %'],
        ['Bald', '', '70 %'],
    ]
    styles = [(tag, found['style']) for tag, found in cards.tags if tag in ('i', 'b') and 'style' in found]
    # After the three of the key: the bar ends at the probability, the mark is at the threshold.
    assert styles[3:] == [
        ('i', 'width: 50.0%'),
        ('b', 'left: 50.0%'),
        ('i', 'width: 30.0%'),
        ('b', 'left: 25.0%'),
        ('i', 'width: 70.0%'),
        ('b', 'left: 75.0%'),
    ]
    assert '1 face in a.jpg' in cards.text and 'The other 1' in cards.text and 'Around Head' in cards.text
    # A group of which all is found is not among the rest.
    assert 'Gender' not in cards.text


def test_some_of_the_attributes_may_be_shown():
    chosen = face([10, 20, 40, 60], 0.3)
    assert Cards(render('a.jpg', np.zeros((200, 100, 3), np.uint8), [chosen])).rows == [['Wearing Hat', '', '30 %']]
    chosen['attributes']['Wearing_Hat']['label'] = False
    assert Cards(render('a.jpg', np.zeros((200, 100, 3), np.uint8), [chosen])).rows == [['Wearing Hat', '', '30 %']]


def test_boxes_are_parts_of_the_photo():
    assert _place([10, 20, 40, 60], (200, 100, 3)) == [10, 10, 30, 20]
    assert _place([-30, 150, 400, 260], (200, 100, 3)) == [0, 75, 100, 25]
    faces = [face([10, 20, 40, 60], 0, 0, 0), face([50, 2, 90, 40], 1, 1, 1), face(None, 0, 0, 0)]
    cards = Cards(render('a.jpg', np.zeros((200, 100, 3), np.uint8), faces))
    boxes = [found for _, found in cards.tags if 'box' in found.get('class', '').split()]
    assert [box['style'].split('; ', 1)[1] for box in boxes] == [
        'left: 10.00%; top: 10.00%; width: 30.00%; height: 20.00%',
        'left: 50.00%; top: 1.00%; width: 40.00%; height: 19.00%',
    ]
    # Above the second there is no room for its number.
    assert [box['class'] for box in boxes] == ['box', 'box high']
    assert '3 faces in a.jpg' in cards.text and cards.text.count('Nothing is above its threshold.') == 2
    assert cards.text.count('All 3') == 2
    pictures = [found['src'] for tag, found in cards.tags if tag == 'img']
    # Of a face without a box, the photo is the picture.
    assert len(pictures) == 3 and all(source.startswith('data:image/jpeg;base64,') for source in pictures)


@pytest.mark.parametrize('shape', [(1, 3000, 3), (4000, 2, 3), (8, 8, 3)])
def test_takes_photos_of_every_shape(shape):
    assert '1 face' in render('a.jpg', np.zeros(shape, np.uint8), [face([0, 0, 1, 1], 0, 0, 0)])


def test_what_users_write_stays_text():
    text = render(HOSTILE, np.zeros((9, 9, 3), np.uint8), [face(None, 1, 1, 1)])
    for page in (text, _render_message(f'{HOSTILE} cannot be read')):
        cards = Cards(page)
        assert HOSTILE in cards.text and not any('onerror' in found for _, found in cards.tags)


@pytest.mark.parametrize('shape', [(1, 3000, 3), (3000, 1, 3)])
def test_a_strip_has_a_small_picture(shape):
    strip = dict(face([0, 0, 1, 1], 0.3, 0.5, 0.7), crop=np.zeros(shape, np.uint8))
    cards = Cards(render('a.jpg', np.zeros(shape, np.uint8), [strip]))
    pictures = [found['src'] for tag, found in cards.tags if tag == 'img']
    assert len(pictures) == 2 and all(100 < len(picture) < 9000 for picture in pictures)


def test_doubts_and_failures_come_with_advice():
    doubtful = dict(face([0, 0, 1, 1], 1, 1, 1), quality=dict(doubts=['small', 'turned']))
    text = Cards(render('a.jpg', np.zeros((9, 9, 3), np.uint8), [doubtful])).text
    assert 'a photo in which it is larger' in text and 'a photo from the front' in text and 'sharper' not in text
    for smallest, advice in [
        (80.4, 'in good light and at least 80 pixels wide, or cut'),
        (None, 'in good light, or cut'),
    ]:
        result = dict(faces=[], failed=False, smallest_face=smallest)
        text = Cards(_render_photos([_Photo('a.jpg', np.zeros((9, 9, 3), np.uint8), result)], GROUPS, {})).text
        assert 'No face was found in a.jpg.' in text and advice in text
