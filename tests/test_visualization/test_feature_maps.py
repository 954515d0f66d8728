import numpy as np
import pytest

from imcnn_plugin.visualization import plot_feature_maps


@pytest.fixture
def maps():
    """Channel 2 varies most, then 0; channel 1 is the same everywhere."""
    maps = np.random.default_rng(0).random((3, 4, 4))
    maps[1] = 50
    maps[2] *= 9
    return maps


def test_shows_the_face_the_mean_and_the_strongest_channels(maps):
    face = np.random.default_rng(1).random((8, 8, 3))
    figure = plot_feature_maps(face, [maps, 2 * maps], ['1', 'ATTR Net'], 'backbone.conv3', channels=2)
    rows = np.array(figure.axes).reshape(2, 5)
    for row, scale in zip(rows, (1, 2)):
        for axis, expected in zip(row[2:], (maps.mean(0), maps[2], maps[0])):
            np.testing.assert_allclose(axis.images[0].get_array(), scale * expected)
            assert axis.get_xlabel() == f'{scale * expected.min():.2g} to {scale * expected.max():.2g}'
        np.testing.assert_allclose(row[0].images[0].get_array(), face)
        np.testing.assert_allclose(row[1].images[1].get_array(), scale * maps.mean(0))
        assert row[4].get_title() == 'channel 0'
        # Whatever their pixels, they lie on the face.
        assert row[1].images[1].get_extent() == row[0].images[0].get_extent()
    assert [row[0].get_ylabel() for row in rows] == ['λ = 1', 'ATTR Net']


def test_draws_no_more_channels_than_there_are(maps):
    narrow, wide = (
        plot_feature_maps(np.ones((8, 8, 3)), [x], ['a'], channels=9) for x in (maps, np.repeat(maps, 3, 0))
    )
    assert len(narrow.axes) == 6 and len(wide.axes) == 12
    assert narrow.get_figwidth() < wide.get_figwidth()
