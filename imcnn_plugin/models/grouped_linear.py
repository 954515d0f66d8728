import math

import torch
from torch import nn


class GroupedLinear(nn.Module):
    """G linear layers, one per group, computed as a single batched matrix product.

    The weight is ``(G, in_features, out_features)``, the bias ``(G, out_features)``. Each group is initialized like a
    separate layer with Caffe's Xavier filler: U(-a, a) with a = sqrt(3 / in_features), and bias 0.
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
        """The sizes, as :func:`repr` shows them."""
        return ', '.join(f'{name}={size}' for name, size in zip(('groups', 'in', 'out'), self.weight.shape))
