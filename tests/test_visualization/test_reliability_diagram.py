import warnings

import numpy as np

from imcnn_plugin.evaluation import reliability
from imcnn_plugin.visualization import plot_reliability, svg_uri


def test_the_reliability_diagram_skips_empty_bins():
    bins = reliability(np.array([[0.05], [0.05], [0.95]]), np.array([[0], [1], [1]]))
    upper, lower = plot_reliability(bins).axes
    np.testing.assert_allclose(upper.lines[1].get_xydata(), [[0.05, 0.5], [0.95, 1]])
    assert [bar.get_height() for bar in lower.patches] == [2, *[0] * 13, 1]


def test_labels_that_are_all_unknown_leave_it_empty():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        figure = plot_reliability(reliability(np.full((3, 2), 0.4), np.full((3, 2), -1)))
        assert svg_uri(figure)
    assert not any(bar.get_height() for bar in figure.axes[1].patches)
