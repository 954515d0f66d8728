import numpy as np
from PIL import Image

from imcnn_plugin.visualization import plot_identity_predictions, save_figure

BLUE, VERMILION, GREY = (0, 114, 178), (193, 79, 0), (87, 96, 106)


def test_shows_probabilities_in_the_color_of_right_and_wrong():
    images = [np.full((6, 5, 3), value, np.uint8) for value in (10, 90, 170)]
    probabilities = np.array([[0.75, 0.25, 0.5], [0.5, 0.875, 0.0]])
    figure = plot_identity_predictions(
        images, np.array([1, 0, -1]), probabilities, np.array([0.5, 0.6]), ['A', 'B'], 'Wavy_Hair', 'X'
    )
    rows = np.array(figure.axes).reshape(3, 3)
    assert [axis.get_title() for axis in rows[0]] == ['label: yes', 'label: no', 'label: unknown']
    assert [axis.images[0].get_array()[0, 0, 0] for axis in rows[0]] == [10, 90, 170]
    bars = [[axis.patches[0] for axis in row] for row in rows[1:]]
    np.testing.assert_allclose([[bar.get_width() for bar in row] for row in bars], probabilities)
    colors = [[tuple(round(255 * c) for c in bar.get_facecolor()[:3]) for bar in row] for row in bars]
    assert colors == [[BLUE, BLUE, GREY], [VERMILION, VERMILION, GREY]]
    assert [axis.get_xlabel() for axis in rows[2]] == ['50 %, wrong', '88 %, wrong', '0 %']
    assert [row[0].get_ylabel() for row in rows[1:]] == ['A\n2 of 2 right', 'B\n0 of 2 right']
    assert figure.get_suptitle() == 'Wavy Hair, 3 images of X'


def test_the_image_file_shows_faces_and_bars(tmp_path):
    images = [np.full((40, 30, 3), color, np.uint8) for color in ((250, 0, 250), (0, 250, 250))]
    labels, probabilities = np.array([1, 0]), np.array([[0.9, 0.9]])
    figure = plot_identity_predictions(images, labels, probabilities, np.array([0.5]), ['A'], 'Young', 'X')
    save_figure(figure, tmp_path / 'a.png')
    picture = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB')).reshape(-1, 3).astype(int)
    for color in ((250, 0, 250), (0, 250, 250), BLUE, VERMILION):
        assert (np.abs(picture - color).max(1) < 4).sum() > 5000
