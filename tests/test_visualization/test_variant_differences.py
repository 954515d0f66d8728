import numpy as np

from imcnn_plugin.visualization import plot_variant_differences

DIFFERENCES = {
    'lambda 1': [(-0.2, -0.3, -0.1), (0.1, 0.0, 0.25), None],
    'lambda 10': [(-1.0, np.nan, np.nan), (0.5, 0.25, 1.0), (-2.0, -2.5, -1.5)],
}


def test_each_variant_has_its_differences_from_top_to_bottom():
    [axis] = plot_variant_differences(DIFFERENCES, 'lambda 0').axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ['lambda 1', 'lambda 10']
    assert axis.get_ylim()[0] > 1 > 0 > axis.get_ylim()[1]
    marks = axis.lines[1:]
    assert [line.get_xdata().tolist() for line in marks[:2]] == [[-0.2, -1.0], [0.1, 0.5]]
    np.testing.assert_array_equal(marks[2].get_xdata(), [np.nan, -2.0])
    for line, bars, kind in zip(marks, axis.collections, range(3)):
        assert np.round(line.get_ydata()).tolist() == [0, 1]
        for segment, y, values in zip(bars.get_segments(), line.get_ydata(), DIFFERENCES.values()):
            ends = [(x, y) for x in (values[kind] or ())[1:] if not np.isnan(x)]
            assert [tuple(end) for end in segment] == ends
    assert marks[0].get_ydata()[0] < marks[1].get_ydata()[0] < marks[2].get_ydata()[0]
    assert 'lambda 0 (points)' in axis.get_xlabel()


def test_the_figure_grows_with_the_variants():
    two, none = (
        plot_variant_differences(differences, 'lambda 0').get_size_inches() for differences in (DIFFERENCES, {})
    )
    assert two[0] == none[0] and two[1] > none[1]
