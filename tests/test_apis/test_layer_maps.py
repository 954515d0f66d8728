import numpy as np
import pytest
import torch
from torch import nn

from imcnn_plugin.apis.layer_maps import layer_maps
from imcnn_plugin.errors import ConfigError


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
        ('trunk.2', "layer 'trunk.2' outputs shape .2, 180., not maps .N, C, h, w.: choose"),
        ('idle', "layer 'idle' is not executed"),
    ],
)
def test_says_what_is_wrong_with_a_layer(model, layer, message):
    with pytest.raises(ConfigError, match=message):
        layer_maps(model, layer, torch.randn(2, 3, 8, 8))
