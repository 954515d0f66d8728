from typing import Callable, Tuple

import torch


def mix_known(augment: Callable, inputs: torch.Tensor, score: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
    """Calls one of mmpretrain's batch augmentations; what is mixed with an unknown label (-1) is unknown.

    ``inputs`` is ``(N, 3, H, W)``, ``score`` ``(N, L)``. In the returned scores a label is -1 or from 0 to 1.
    """
    # No share of minus infinity is a number of at least 0.
    inputs, score = augment(inputs, score.float().masked_fill(score < 0, float('-inf')))
    return inputs, torch.where(score >= 0, score, -1.0)
