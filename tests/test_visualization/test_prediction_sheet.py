import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from imcnn_plugin.visualization import plot_prediction_sheet, save_figure


def test_shows_each_face_and_colors_its_attributes(tmp_path):
    """Three faces of one color each; one attribute right, one wrong, one missed, one unknown."""
    colors = [(250, 0, 250), (0, 250, 250), (250, 250, 0)]
    images = [np.full((40, 30, 3), color, np.uint8) for color in colors]
    scores = np.tile([0.9, 0.8, 0.1, 0.05], (3, 1))
    targets = np.tile([1, 0, 1, -1], (3, 1))
    thresholds, classes = np.array([0.85, 0.5, 0.2, 0.5]), ['right', 'wrong', 'missed', 'unknown']
    save_figure(plot_prediction_sheet(images, scores, thresholds, targets, classes), tmp_path / 'a.png', dpi=110)
    picture = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB')).reshape(-1, 3).astype(int)

    def area(color):
        return (np.abs(picture - color).max(1) < 12).sum()

    for color in colors:
        assert area(color) > 5000
    # Blue, orange and grey of the text, most of whose pixels are blended with white.
    for color in ((0, 114, 178), (193, 79, 0), (87, 96, 106)):
        assert area(color) > 10


def test_an_unknown_label_is_neither_right_nor_wrong():
    targets = np.array([[1, 0, 1, 0, -1, -1]])
    scores = np.array([[0.9, 0.8, 0.1, 0.2, 0.7, 0.3]])
    classes = ['right', 'wrong', 'missed', 'neither', 'guess', 'nothing']
    figure = plot_prediction_sheet([np.zeros((4, 3, 3), np.uint8)], scores, np.full(6, 0.5), targets, classes)
    axis = figure.axes[0]
    assert axis.get_title(loc='left') == '2 of 4 attributes right'
    found = {text.get_text().split()[0]: text.get_color() for text in axis.texts}
    assert found == dict(right='#0072B2', wrong='#C14F00', missed='#57606A', guess='#000000')
    [legend] = figure.legends
    meaning = {
        text.get_text(): to_hex(patch.get_facecolor()) for text, patch in zip(legend.texts, legend.get_patches())
    }
    assert {kind: color.upper() for kind, color in meaning.items()} == {
        'predicted and labelled': found['right'],
        'only predicted': found['wrong'],
        'only labelled': found['missed'],
        'predicted, label unknown': found['guess'],
    }


def test_long_lists_do_not_overlap():
    figure = plot_prediction_sheet(
        [np.zeros((40, 30, 3), np.uint8)], np.ones((1, 40)), np.full(40, 0.5), np.ones((1, 40)), ['a'] * 40
    )
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 40 and all(upper.y0 >= lower.y1 - 1 for upper, lower in zip(boxes, boxes[1:]))
