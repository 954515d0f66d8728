from typing import Dict, List, Optional, Sequence, Union

import torch
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from mmpretrain.registry import MODELS

from .batch_fields import Samples
from .build_part import _build_part


@MODELS.register_module()
class JointHead(BaseModule):
    """Attribute classification with an auxiliary identity loss on the same feature F (Eq. 1 of the paper).

    At test time only the attribute branch runs, and a checkpoint needs no identity branch.

    Args:
        attr_head: Config of the attribute head, such as :class:`GroupedMultiLabelHead`.
        id_head: Config of the identity head, such as :class:`IdentityHead`. With None there is no identity branch
            (ATTR Net), and one in a checkpoint is ignored.
        loss: Config of :class:`JointLoss`, which is the default ``type``.
        init_cfg: None; the two heads initialize themselves.
    """

    def __init__(
        self,
        attr_head: dict,
        id_head: Optional[dict] = None,
        loss: dict = dict(),
        init_cfg: Optional[Union[dict, list]] = None,
    ):
        super().__init__(init_cfg=init_cfg)
        self.attr_head = _build_part(attr_head)
        self.id_head = _build_part(id_head) if id_head else None
        self.loss_module = _build_part({'type': 'mmpretrain.JointLoss', **loss})
        if self.id_head is None:
            self._register_load_state_dict_pre_hook(self._drop_identity_branch)

    @staticmethod
    def _drop_identity_branch(state_dict: dict, prefix: str, *args) -> None:
        for key in [key for key in state_dict if key.startswith(prefix + 'id_head.')]:
            del state_dict[key]

    def pre_logits(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """The attribute head's features before its logits."""
        return self.attr_head.pre_logits(feats)

    def forward(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """The attribute logits ``(N, number of attributes)``."""
        return self.attr_head(feats)

    def loss(self, feats: Union[torch.Tensor, Sequence], data_samples: Samples) -> Dict[str, torch.Tensor]:
        """``loss_attr`` and, with an identity head, lambda times ``loss_id``."""
        loss_attr = self.attr_head.loss(feats, data_samples)['loss']
        loss_id = self.id_head.loss(feats, data_samples)['loss_id'] if self.id_head else None
        return self.loss_module(loss_attr, loss_id)

    def predict(
        self, feats: Union[torch.Tensor, Sequence], data_samples: Optional[Samples] = None
    ) -> List[BaseDataElement]:
        """Predictions of the attribute head; the identity branch does not run."""
        return self.attr_head.predict(feats, data_samples)
