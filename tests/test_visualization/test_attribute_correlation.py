import numpy as np
import pytest
import scipy.stats

from imcnn_plugin.errors import DataError
from imcnn_plugin.visualization import choose_images, plot_attribute_correlation
from imcnn_plugin.visualization.attribute_correlation import _correlate_images, _mean_off_diagonal


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 2, (6, 40)).astype(np.int8)


def test_correlation_of_images_is_pearsons(labels):
    expected = [[scipy.stats.pearsonr(a, b).statistic for b in labels] for a in labels]
    np.testing.assert_allclose(_correlate_images(labels), expected, atol=1e-12)


def test_attributes_unknown_for_any_image_are_ignored(labels):
    partly = labels.copy()
    partly[2, 5] = partly[3, 7] = -1
    np.testing.assert_allclose(_correlate_images(partly), np.corrcoef(np.delete(labels, (5, 7), 1)), atol=1e-12)


def test_an_image_with_equal_labels_has_no_correlation(labels):
    labels[1] = 0
    matrix = _correlate_images(labels)
    assert np.isnan(matrix[1]).all() and np.isnan(matrix[:, 1]).all() and np.isnan(matrix).sum() == 11
    rest = np.corrcoef(np.delete(labels, 1, 0))
    assert _mean_off_diagonal(matrix) == pytest.approx((rest.sum() - 5) / 20)


def test_chooses_the_identity_with_most_images_and_one_image_of_each_other():
    identity = np.array([-1] * 9 + [3] * 5 + [8] * 7 + [1, 2, 4, 5, 6, 7, 9])
    same, different = choose_images(identity, number=6)
    assert (identity[same] == 8).all() and len(set(same)) == 6
    assert len(set(identity[different])) == 6 and not set(identity[different]) & {8, -1}
    again, other = choose_images(identity, number=6), choose_images(identity, number=6, seed=1)
    assert np.array_equal(again[1], different) and not np.array_equal(other[1], different)
    same, different = choose_images(identity, number=6, same=3)
    assert (identity[same] == 3).all() and len(same) == len(different) == 5


def test_too_few_images_are_an_error():
    with pytest.raises(DataError, match='no image of identity 5; the 2 identities start with'):
        choose_images(np.array([1, 1, 2, -1]), same=5)
    with pytest.raises(DataError, match='2 images of identity 1 and 1 other identities, at least two of each'):
        choose_images(np.array([1, 1, 2, -1]))
    with pytest.raises(DataError, match='all identities are unknown'):
        choose_images(np.array([-1, -1]))


def test_shows_both_matrices_on_one_scale(labels):
    figure = plot_attribute_correlation([labels, labels[:3]], ['one', 'many'])
    one, many, bar = figure.axes
    np.testing.assert_allclose(one.images[0].get_array(), np.corrcoef(labels), atol=1e-12)
    np.testing.assert_allclose(many.images[0].get_array(), np.corrcoef(labels[:3]), atol=1e-12)
    assert one.images[0].get_clim() == many.images[0].get_clim() == bar.get_ylim() == (-1, 1)
    matrix = np.corrcoef(labels)
    assert one.get_title() == f'one\nmean of two different images {matrix[np.triu_indices(6, 1)].mean():.2f}'


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('labels', [[[1, -1, 0], [-1, 0, 1], [0, 1, -1]], [[1, -1, 0], [0, 0, -1]]])
def test_too_few_common_attributes_have_no_correlation(labels):
    assert np.isnan(_correlate_images(np.array(labels))).all()
