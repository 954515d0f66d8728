import pytest
import torch

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.models import LocallyConnected2d


@pytest.mark.parametrize('kernel, stride, padding', [(3, 1, 0), (3, 2, 1), (2, 3, 2), (1, 1, 0)])
def test_equals_a_loop_over_positions(kernel, stride, padding):
    torch.manual_seed(0)
    layer = LocallyConnected2d(3, 4, (6, 5), kernel, stride, padding)
    torch.nn.init.normal_(layer.kernels.bias)
    x = torch.randn(2, 3, 6, 5)
    height, width = layer.out_size
    assert (height, width) == tuple((side + 2 * padding - kernel) // stride + 1 for side in (6, 5))
    expected = torch.zeros(2, 4, height, width)
    for image in range(2):
        for row in range(height):
            for column in range(width):
                position = row * width + column
                for out in range(4):
                    total = layer.kernels.bias[position, out].clone()
                    for channel in range(3):
                        for i in range(kernel):
                            for j in range(kernel):
                                y, z = row * stride + i - padding, column * stride + j - padding
                                if 0 <= y < 6 and 0 <= z < 5:
                                    weight = layer.kernels.weight[position, (channel * kernel + i) * kernel + j, out]
                                    total += weight * x[image, channel, y, z]
                    expected[image, out, row, column] = total
    torch.testing.assert_close(layer(x), expected)


def test_with_equal_kernels_it_is_a_convolution():
    layer, conv = LocallyConnected2d(3, 4, (6, 5), 3, padding=1), torch.nn.Conv2d(3, 4, 3, padding=1)
    with torch.no_grad():
        layer.kernels.weight[:] = conv.weight.flatten(1).T
        layer.kernels.bias[:] = conv.bias
    x = torch.randn(2, 3, 6, 5)
    torch.testing.assert_close(layer(x), conv(x))


def test_a_kernel_learns_from_its_own_position():
    layer = LocallyConnected2d(1, 1, (3, 3), 3, padding=1)
    layer(torch.ones(1, 1, 3, 3))[0, 0, 1, 2].backward()
    changed = layer.kernels.weight.grad.flatten(1).any(1)
    assert changed.nonzero().flatten().tolist() == [5]


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ConfigError, match='kernel of 3x3 does not fit'):
        LocallyConnected2d(1, 1, (2, 2), 3)
    with pytest.raises(ConfigError, match=r'input is \(4, 4\), but in_size is \(3, 3\)'):
        LocallyConnected2d(1, 1, (3, 3), 3)(torch.zeros(1, 1, 4, 4))
