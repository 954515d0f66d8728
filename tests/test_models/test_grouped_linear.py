import math

import torch

from imcnn_plugin.models import GroupedLinear


def test_equals_one_linear_layer_per_group():
    layer = GroupedLinear(3, 5, 4)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 7, 5)
    expected = torch.stack([torch.nn.functional.linear(x[g], layer.weight[g].T, layer.bias[g]) for g in range(3)])
    torch.testing.assert_close(layer(x), expected)


def test_starts_as_one_linear_layer_per_group():
    torch.manual_seed(0)
    layer = GroupedLinear(9, 1000, 300)
    bound = math.sqrt(3 / 1000)
    assert layer.bias.eq(0).all()
    for weight in layer.weight:
        assert bound * 0.999 < weight.abs().max() <= bound
        # The standard deviation of U(-a, a) is a / sqrt(3).
        assert abs(weight.std().item() * math.sqrt(1000) - 1) < 0.01
