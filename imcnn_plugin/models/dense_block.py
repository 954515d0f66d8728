import torch
from torch import nn
from torchvision.ops import Conv2dNormActivation


class DenseBlock(nn.Module):
    """Layers of which each sees the outputs of all before it: a 1x1, then a 3x3 convolution.

    As the caption of the paper's Table 1 has it, batch normalisation and ReLU follow each convolution. Growth rate and
    bottleneck are not given there; DenseNet-121 has 32 and four times the growth rate.

    Args:
        in_channels: Channels of the input.
        num_layers: Number of layers.
        growth_rate: Channels that each layer adds.

    Maps ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``.
    """

    def __init__(self, in_channels: int, num_layers: int, growth_rate: int):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                Conv2dNormActivation(in_channels + i * growth_rate, 4 * growth_rate, kernel_size=1),
                Conv2dNormActivation(4 * growth_rate, growth_rate, kernel_size=3),
            )
            for i in range(num_layers)
        )
        self.out_channels = in_channels + num_layers * growth_rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x
