import numpy as np
import pytest

from imcnn_plugin.visualization import draw_people


@pytest.mark.parametrize(
    'shape, expected', [((99, 201), (316, 640)), ((1080, 1920), (720, 1280)), ((700, 401), (700, 400))]
)
def test_frames_of_a_video_stay_equal_in_size(shape, expected):
    image = np.full((*shape, 3), 128, np.uint8)
    people = [dict(number=1, box=[10, 10, 60, 60], lines=['Smiling', 'Bangs'])]
    assert draw_people(image, []).shape == draw_people(image, people).shape == (*expected, 3)


@pytest.mark.parametrize('box', [[10, 10, 60, 60], [300, 200, 390, 299], [-5, -5, 2000, 900]])
def test_text_is_white_on_dark_in_the_frame(box):
    image = np.full((300, 400, 3), 255, np.uint8)
    plain = draw_people(image, [dict(number=2, box=box, lines=[])])
    drawn = draw_people(image, [dict(number=2, box=box, lines=['Smiling', 'Wearing Necktie'])])
    changed = (plain != drawn).any(-1)
    # The panel of two lines: on white, it is the darkest that black at 70 % can be.
    panel = drawn[changed]
    # But for the frame in the color of the box.
    panel = panel[np.ptp(panel, axis=-1) == 0]
    assert 2000 < len(panel) < 16000 and panel.min() == 76 and (panel == 76).mean() > 0.5
    assert (drawn == plain)[~changed].all()


def test_the_text_of_one_covers_neither_the_face_nor_the_text_of_another():
    """Two faces, one below the other, in the middle, and one in a corner."""
    image = np.full((480, 640, 3), 200, np.uint8)
    boxes = [[300, 100, 360, 170], [290, 200, 360, 280], [570, 400, 635, 475]]
    people = [dict(number=i, box=box, lines=['Smiling', 'Bangs', 'Young']) for i, box in enumerate(boxes, 1)]
    drawn = draw_people(image, people)
    for left, top, right, bottom in boxes:
        assert (drawn[top + 5 : bottom - 5, left + 5 : right - 5] == 200).all()
    # Each panel is darkened once.
    alone = sum((draw_people(image, [person]) == 60).sum() for person in people)
    assert (drawn == 60).sum() == alone and ((drawn < 60) & (drawn > 0)).mean() < 0.01
