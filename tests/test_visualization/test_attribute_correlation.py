import numpy as np
import pytest
from PIL import Image

from imcnn_plugin.errors import DataError
from imcnn_plugin.visualization import choose_images, draw_attribute_correlation
from imcnn_plugin.visualization.attribute_correlation import (
    correlate_images,
    mean_off_diagonal,
    plot_attribute_correlation,
)


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 2, (6, 40)).astype(np.int8)


def test_correlates_images_as_numpy_does(labels):
    np.testing.assert_allclose(correlate_images(labels), np.corrcoef(labels), atol=1e-12)


def test_leaves_out_what_is_unknown_for_an_image(labels):
    partly = labels.copy()
    partly[2, 5] = partly[3, 7] = -1
    np.testing.assert_allclose(correlate_images(partly), np.corrcoef(np.delete(labels, (5, 7), 1)), atol=1e-12)


def test_an_image_without_any_attribute_correlates_with_none(labels):
    labels[1] = 0
    matrix = correlate_images(labels)
    assert np.isnan(matrix[1]).all() and np.isnan(matrix[:, 1]).all() and np.isnan(matrix).sum() == 11
    rest = np.corrcoef(np.delete(labels, 1, 0))
    assert mean_off_diagonal(matrix) == pytest.approx((rest.sum() - 5) / 20)


def test_chooses_the_person_with_most_images_and_one_image_each_of_others():
    identity = np.array([-1] * 9 + [3] * 5 + [8] * 7 + [1, 2, 4, 5, 6, 7, 9])
    same, different = choose_images(identity, images=6)
    assert (identity[same] == 8).all() and len(set(same)) == 6
    assert len(set(identity[different])) == 6 and not set(identity[different]) & {8, -1}
    again, other = choose_images(identity, images=6), choose_images(identity, images=6, seed=1)
    assert np.array_equal(again[1], different) and not np.array_equal(other[1], different)
    same, different = choose_images(identity, images=6, person=3)
    assert (identity[same] == 3).all() and len(same) == len(different) == 5


def test_says_when_there_are_too_few_images():
    with pytest.raises(DataError, match='no image of identity 5: 2 identities are known'):
        choose_images(np.array([1, 1, 2, -1]), person=5)
    with pytest.raises(DataError, match='2 images of identity 1 and 1 other identities: two are needed of each'):
        choose_images(np.array([1, 1, 2, -1]))


def test_shows_both_matrices_on_one_scale(labels):
    figure = plot_attribute_correlation([labels, labels[:3]], ['one', 'many'])
    one, many, bar = figure.axes
    np.testing.assert_allclose(one.images[0].get_array(), np.corrcoef(labels), atol=1e-12)
    np.testing.assert_allclose(many.images[0].get_array(), np.corrcoef(labels[:3]), atol=1e-12)
    assert one.images[0].get_clim() == many.images[0].get_clim() == bar.get_ylim() == (-1, 1)
    matrix = np.corrcoef(labels)
    assert one.get_title() == f'one\nmean off the diagonal {matrix[np.triu_indices(6, 1)].mean():.2f}'


def test_writes_the_file_or_says_why_not(labels, tmp_path):
    path = tmp_path / 'new' / 'correlation.png'
    draw_attribute_correlation([labels, labels], ['one', 'many'], path)
    # The diagonals are the darkest red of the scale.
    picture = np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3).astype(int)
    assert (np.abs(picture - (103, 0, 31)).max(1) < 4).mean() > 0.08
    assert [file.name for file in path.parent.iterdir()] == ['correlation.png']
    with pytest.raises(DataError, match="correlation.xyz: a picture's name ends in one of"):
        draw_attribute_correlation([labels], ['one'], tmp_path / 'correlation.xyz')
    with pytest.raises(DataError, match='cannot be written'):
        draw_attribute_correlation([labels], ['one'], path / 'below_a_file.png')


def test_nothing_in_common_is_no_correlation_of_zero():
    assert np.isnan(correlate_images(np.array([[1, -1, 0], [-1, 0, 1], [0, 1, -1]]))).all()
