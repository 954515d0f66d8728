from typing import Tuple

import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import nn

from ..errors import ConfigError, check_sizes
from .grouped_linear import GroupedLinear


@MODELS.register_module()
class LocallyConnected2d(nn.Module):
    """A convolution whose weights are not shared: each output position has a kernel and a bias of its own.

    The kernels are computed as one batched product: a :class:`GroupedLinear` with one group per position, row by row
    from the top left.

    Args:
        in_channels: Number of input channels C.
        out_channels: Number of output channels.
        in_size: Height and width of the input. They cannot vary, since the weights are not shared.
        kernel_size: Side of the square kernels.
        stride: Distance between neighboring kernels.
        padding: Rows and columns of zeros around the input.

    Raises:
        ConfigError: A size is not a positive integer, the padding is negative, or the kernel is larger than the
            padded input.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        in_size: Tuple[int, int],
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ):
        super().__init__()
        check_sizes(
            in_channels=in_channels, out_channels=out_channels, in_size=in_size, kernel_size=kernel_size, stride=stride
        )
        if padding < 0 or min(in_size) + 2 * padding < kernel_size:
            raise ConfigError(
                f'a kernel of {kernel_size}x{kernel_size} does not fit into in_size={tuple(in_size)} with '
                f'padding={padding}: change them to match'
            )
        self.in_size = tuple(in_size)
        self.options = dict(kernel_size=kernel_size, stride=stride, padding=padding)
        self.out_size = tuple((side + 2 * padding - kernel_size) // stride + 1 for side in in_size)
        positions = self.out_size[0] * self.out_size[1]
        self.kernels = GroupedLinear(positions, in_channels * kernel_size**2, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``(N, in_channels, *in_size)`` to ``(N, out_channels, *out_size)``.

        Raises:
            ConfigError: The input has another height or width.
        """
        if x.shape[2:] != self.in_size:
            raise ConfigError(f'the input is {tuple(x.shape[2:])}, but in_size is {self.in_size}: change it to match')
        # F.unfold returns (N, C * kernel_size ** 2, positions); the batched product needs the positions first.
        patches = F.unfold(x, **self.options).permute(2, 0, 1)
        return self.kernels(patches).permute(1, 2, 0).unflatten(2, self.out_size)
