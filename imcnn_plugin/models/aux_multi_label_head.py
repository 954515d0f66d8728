from typing import Sequence, Union

import torch
from mmpretrain.registry import MODELS
from torch import nn

from .grouped_multi_label_head import GroupedMultiLabelHead


class _AuxLayer(nn.Linear):
    def init_weights(self) -> None:
        """Makes it the identity matrix; mmengine calls this before it loads a checkpoint named in ``init_cfg``."""
        nn.init.eye_(self.weight)


@MODELS.register_module()
class AuxMultiLabelHead(GroupedMultiLabelHead):
    """MCNN-AUX (Hand & Chellappa 2016, arXiv 1604.07360): a linear layer from all logits to all logits.

    The layer learns relations between attributes of different groups on top of a trained
    :class:`GroupedMultiLabelHead`, which is frozen here: load its checkpoint with ``load_from`` and freeze the
    backbone as well. The layer is initialized to the identity matrix; 40 attributes give 1,600 weights.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.banks.requires_grad_(False)
        self.aux = _AuxLayer(len(self.classes), len(self.classes), bias=False)

    def train(self, mode: bool = True) -> 'AuxMultiLabelHead':
        super().train(mode)
        # Frozen layers run without dropout.
        self.banks.eval()
        return self

    def forward(self, feats: Union[torch.Tensor, Sequence], num_segs: int = 1) -> torch.Tensor:
        """Logits ``(N, number of classes)`` in the order of ``classes``."""
        return self.aux(super().forward(feats, num_segs))
