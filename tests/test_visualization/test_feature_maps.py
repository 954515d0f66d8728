import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.visualization import draw_feature_maps, layer_maps
from imcnn_plugin.visualization.feature_maps import plot_feature_maps, strongest_channels


@pytest.fixture
def model():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(2))
    trunk.append(nn.Module())
    model = nn.ModuleDict(dict(trunk=trunk, idle=nn.Conv2d(3, 3, 1)))
    model.forward = lambda x: trunk[:4](x)
    return model


def test_gives_a_layers_output_before_the_next_changes_it(model):
    x = torch.randn(2, 3, 8, 8)
    maps = layer_maps(model, 'trunk.0', x)
    expected = model['trunk'][0](x).detach().numpy()
    assert maps.shape == (2, 5, 6, 6) and (expected < 0).any()
    np.testing.assert_allclose(maps, expected, rtol=1e-6)
    assert not model['trunk'][0]._forward_hooks


@pytest.mark.parametrize(
    'layer, message',
    [
        ('trunk.conv3', "there is no layer 'trunk.conv3': trunk has 0, 1, 2, 3, 4"),
        ('stem.conv3', "there is no layer 'stem.conv3': the model has trunk, idle"),
        ('trunk.1.conv3', "there is no layer 'trunk.1.conv3': trunk.1 has no layers"),
        ('trunk.2', "layer 'trunk.2' has no maps .N, C, h, w., but shape .2, 180.: give"),
        ('idle', "layer 'idle' does not run"),
    ],
)
def test_says_what_is_wrong_with_a_layer(model, layer, message):
    with pytest.raises(ConfigError, match=message):
        layer_maps(model, layer, torch.randn(2, 3, 8, 8))


@pytest.fixture
def maps():
    """Channel 2 varies most, then 0; channel 1 is the same everywhere."""
    maps = np.random.default_rng(0).random((3, 4, 4))
    maps[1] = 50
    maps[2] *= 9
    return maps


def test_chooses_the_channels_that_vary_most(maps):
    assert strongest_channels(maps, 2).tolist() == [2, 0]


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


def test_draws_no_more_channels_than_there_are(maps, tmp_path):
    draw_feature_maps(np.ones((8, 8, 3)), [maps], ['a'], tmp_path / 'maps.png', channels=9)
    narrow, _ = Image.open(tmp_path / 'maps.png').size
    draw_feature_maps(np.ones((8, 8, 3)), [np.repeat(maps, 3, 0)], ['a'], tmp_path / 'wide.png', channels=9)
    wide, _ = Image.open(tmp_path / 'wide.png').size
    assert narrow < wide
