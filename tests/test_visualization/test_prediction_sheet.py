import numpy as np
from PIL import Image

from imcnn_plugin.visualization import draw_prediction_sheet


def test_shows_each_face_and_colours_its_attributes(tmp_path):
    """Three faces of one colour each; one attribute right, one wrong, one missed, one unknown."""
    colours = [(250, 0, 250), (0, 250, 250), (250, 250, 0)]
    images = [np.full((40, 30, 3), colour, np.uint8) for colour in colours]
    scores = np.tile([0.9, 0.8, 0.1, 0.05], (3, 1))
    targets = np.tile([1, 0, 1, -1], (3, 1))
    path = tmp_path / 'new' / 'sheet.png'
    draw_prediction_sheet(
        images, scores, np.array([0.85, 0.5, 0.2, 0.5]), targets, ['right', 'wrong', 'missed', 'unknown'], path
    )
    picture = np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3).astype(int)

    def area(colour):
        return (np.abs(picture - colour).max(1) < 12).sum()

    for colour in colours:
        assert area(colour) > 5000
    # Blue, orange and grey of the text, most of whose pixels are blended with white.
    for colour in ((0, 114, 178), (213, 94, 0), (140, 149, 159)):
        assert area(colour) > 10
