from typing import Sequence, Union

import torch
from mmpretrain.registry import MODELS
from torch import nn

from .grouped_multi_label_head import GroupedMultiLabelHead


@MODELS.register_module()
class AuxMultiLabelHead(GroupedMultiLabelHead):
    """MCNN-AUX (Hand & Chellappa 2016, arXiv 1604.07360): a linear layer from all scores to all scores.

    It learns the relations of attributes of different groups on top of a :class:`GroupedMultiLabelHead` that is
    trained already and stays as it is: load that one's checkpoint with ``load_from`` and freeze the backbone. With 40
    attributes it has 1,600 weights. It starts as the identity, that is, with the scores as they are.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.banks.requires_grad_(False)
        self.aux = nn.Linear(len(self.classes), len(self.classes), bias=False)

    def init_weights(self) -> None:
        super().init_weights()
        nn.init.eye_(self.aux.weight)

    def train(self, mode: bool = True) -> 'AuxMultiLabelHead':
        super().train(mode)
        # No dropout in what is not trained.
        self.banks.eval()
        return self

    def forward(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """Logits ``(N, number of classes)`` in the order of ``classes``."""
        return self.aux(super().forward(feats))
