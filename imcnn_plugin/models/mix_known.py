from typing import Callable, Tuple

import torch


def mix_known(augment: Callable, inputs: torch.Tensor, score: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
    """Applies one of mmpretrain's batch augmentations. A label mixed with an unknown one (-1) is unknown.

    ``inputs`` is ``(N, 3, H, W)``, ``score`` ``(N, L)``. In the returned scores a label is -1 or from 0 to 1.
    """
    # Mixing with minus infinity gives minus infinity or NaN, neither of which is at least 0.
    inputs, score = augment(inputs, score.float().masked_fill(score < 0, float('-inf')))
    return inputs, torch.where(score >= 0, score, -1.0)
