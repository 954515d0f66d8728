import math

import torch
from torch import nn


class GroupedLinear(nn.Module):
    """A linear layer for each of several groups, run as one batched product.

    Args:
        num_groups: Number of groups G.
        in_features: Inputs of each group.
        out_features: Outputs of each group.

    The weight is ``(G, in_features, out_features)``, the bias ``(G, out_features)``. Each group starts as one layer of
    its own would with Caffe's Xavier filler: U(-a, a) with a = sqrt(3 / in_features), and bias 0.
    """

    def __init__(self, num_groups: int, in_features: int, out_features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_groups, in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(num_groups, out_features))
        bound = math.sqrt(3 / in_features)
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps ``(G, N, in_features)`` to ``(G, N, out_features)``."""
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight)

    def extra_repr(self) -> str:
        return ', '.join(f'{name}={size}' for name, size in zip(('groups', 'in', 'out'), self.weight.shape))
