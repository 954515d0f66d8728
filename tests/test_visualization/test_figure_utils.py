import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from imcnn_plugin.errors import DataError
from imcnn_plugin.visualization import plot_attribute_correlation, save_figure, spaced, svg_uri
from imcnn_plugin.visualization.figure_utils import RIGHT, UNKNOWN, WRONG


def plot():
    labels = np.random.default_rng(0).integers(0, 2, (6, 40)).astype(np.int8)
    return plot_attribute_correlation([labels, labels], ['one', 'many'])


def test_writes_the_file_or_says_why_not(tmp_path):
    path = tmp_path / 'new' / 'correlation.png'
    save_figure(plot(), path)
    # The diagonals are the darkest red of the scale.
    picture = np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3).astype(int)
    assert (np.abs(picture - (103, 0, 31)).max(1) < 4).mean() > 0.08
    assert [file.name for file in path.parent.iterdir()] == ['correlation.png']
    with pytest.raises(DataError, match="correlation.xyz: unknown image format 'xyz', use one of .* png"):
        save_figure(plot(), tmp_path / 'correlation.xyz')
    with pytest.raises(DataError, match='cannot be written'):
        save_figure(plot(), path / 'below_a_file.png')


def test_a_name_that_matplotlib_takes_for_a_wrong_formula(tmp_path):
    figure = plot()
    figure.suptitle('a $x_$')
    with pytest.raises(DataError, match=r'a.png: a name in the figure is not a valid formula: remove its \$') as error:
        save_figure(figure, tmp_path / 'a.png')
    assert '\n' not in str(error.value) and not list(tmp_path.iterdir())


def test_equal_figures_give_equal_uris():
    uri = svg_uri(plot())
    assert uri.startswith('data:image/svg+xml;base64,') and uri == svg_uri(plot())


def test_names_become_words():
    assert [*map(spaced, ('Wearing_Hat', 'AroundHead', '5_o_Clock_Shadow', 'ID'))] == [
        'Wearing Hat',
        'Around Head',
        '5 o Clock Shadow',
        'ID',
    ]


@pytest.mark.parametrize('color', [RIGHT, UNKNOWN, WRONG])
def test_colored_texts_are_legible_on_white(color):
    """The contrast of WCAG."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in to_rgb(color)]
    assert 1.05 / (np.dot((0.2126, 0.7152, 0.0722), linear) + 0.05) >= 4.5
