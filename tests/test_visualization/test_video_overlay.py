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
    assert 2000 < changed.sum() < 16000 and drawn[changed].min() == 76
    assert (drawn == plain)[~changed].all()
