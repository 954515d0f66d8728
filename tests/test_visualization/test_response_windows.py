import numpy as np
import pytest

from imcnn_plugin.visualization import plot_response_windows


def test_maps_and_windows_lie_where_they_are_in_the_photo():
    photos = [np.zeros((40, 60, 3), np.uint8), np.zeros((50, 30, 3), np.uint8)]
    maps = [np.random.default_rng(i).random((4, 5)) for i in range(2)]
    parts = [(0, 0, 60, 40), (5, 10, 35, 60)]
    windows = np.array([(10, 5, 30, 25), (2, 3, 20, 30), (0, 0, 1, 1)])
    figure = plot_response_windows(photos, [('LNet-o', list(zip(maps, parts)), windows)], [(11, 6, 31, 26), None])
    axes = np.array(figure.axes).reshape(2, 2)
    for row, response, (left, top, right, bottom), window in zip(axes, maps, parts, windows):
        np.testing.assert_allclose(row[1].images[1].get_array(), response)
        assert tuple(row[1].images[1].get_extent()) == (left, right, bottom, top)
        for axis in row:
            rectangle = axis.patches[-1]
            corner, sides = np.array(rectangle.get_xy()), (rectangle.get_width(), rectangle.get_height())
            np.testing.assert_allclose([*corner, *(corner + sides)], window)
    # Rows are as high as their photos need to be equally wide.
    figure.draw_without_rendering()
    wide, high = (axis.get_window_extent() for axis in axes[:, 0])
    assert wide.width == pytest.approx(high.width, rel=0.05) and wide.y0 - high.y1 < 0.5 * figure.dpi
    # The detector found a face in the first photo alone.
    assert [len(row[0].patches) for row in axes] == [2, 1]
