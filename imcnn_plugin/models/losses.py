"""The paper's loss and its terms. Unknown labels and identities (-1) contribute nothing."""

from typing import Dict, Optional

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from mmpretrain.registry import MODELS
from torch import nn

from ..errors import ConfigError


def valid_count(known: torch.Tensor, sync: bool = False) -> torch.Tensor:
    """The divisor of a mean over the known entries of a batch: ``known.sum(0)``, at least 1.

    With ``sync``, the count over all processes, at least 1, is divided by their number. Gradients averaged over
    processes then equal those of a single process with the whole batch. Every process must then call this function in
    every step, even if it has no sample of a task; otherwise the others keep waiting.
    """
    count = known.sum(0, dtype=torch.float32)
    if not sync or get_world_size() == 1:
        return count.clamp(min=1)
    all_reduce(count)
    return count.clamp(min=1) / get_world_size()


def multi_label_loss(logits: torch.Tensor, target: torch.Tensor, sync: bool = False) -> torch.Tensor:
    """LOSS_ATTR of the paper (section 3.2): sigmoid cross-entropy, mean over images, summed over attributes.

    Each attribute is averaged over the images whose label is known. The paper's formula lacks the minus sign.
    ``logits`` and ``target`` (1, 0, or -1 for unknown) are ``(N, L)``. The result is a scalar; about ``L * ln 2`` for
    untrained logits near 0. ``sync``: see :func:`valid_count`.
    """
    known = target >= 0
    loss = F.binary_cross_entropy_with_logits(
        logits.float(), target.float().clamp(min=0), weight=known.float(), reduction='none'
    )
    return (loss.sum(0) / valid_count(known, sync)).sum()


def identity_loss(logits: torch.Tensor, identity: torch.Tensor, sync: bool = False) -> torch.Tensor:
    """LOSS_ID of the paper (section 3.2): softmax cross-entropy, mean over the images of known identities.

    ``logits`` is ``(N, K)``, ``identity`` ``(N, )``, 0 to K - 1, or -1 for unknown. The result is a scalar; 0 if every
    identity is unknown. ``sync``: see :func:`valid_count`.
    """
    loss = F.cross_entropy(logits.float(), identity.long(), ignore_index=-1, reduction='sum')
    return loss / valid_count(identity >= 0, sync)


@MODELS.register_module()
class JointLoss(nn.Module):
    """Eq. 1 of the paper: LOSS = LOSS_ATTR + lambda LOSS_ID.

    Args:
        id_weight: lambda, at least 0. The paper's best is 1.

    Raises:
        ConfigError: lambda is negative or not finite.
    """

    def __init__(self, id_weight: float = 1.0):
        super().__init__()
        if not 0 <= id_weight < float('inf'):
            raise ConfigError(f'id_weight is {id_weight}, expected a finite number of at least 0')
        self.id_weight = id_weight

    def forward(self, loss_attr: torch.Tensor, loss_id: Optional[torch.Tensor] = None) -> Dict[str, torch.Tensor]:
        """Scalars ``loss_attr`` and, with an identity branch, lambda times ``loss_id``; mmengine sums them."""
        losses = dict(loss_attr=loss_attr)
        if loss_id is not None:
            losses['loss_id'] = self.id_weight * loss_id
        return losses
