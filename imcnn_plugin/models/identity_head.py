from typing import Dict, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from .features import batch_field, to_positions
from .joint_loss import identity_loss


@MODELS.register_module()
class IdentityHead(BaseModule):
    """The paper's identity branch: a fully connected mapping of the merged feature F to identities (section 3.2).

    Args:
        num_identities: Number of training identities K.
        in_channels: Channels of F.
        in_size: Height and width of F; None averages over the positions.
        embedding_dims: Size of a linear layer before the classifier. The paper's text maps F straight to K identities,
            which None gives; its Table 1 has 512 numbers in between, which makes the same linear mapping one of rank
            512 and keeps 150,528 x 8,192 weights away.
        neck: Config of a module that F goes through first; the sizes above are those of its output then.
        layout: What a 3-D map means, see :func:`~imcnn_plugin.models.features.to_positions`.
        init_cfg: Defaults to the paper's Xavier filler.
    """

    def __init__(
        self,
        num_identities: int,
        in_channels: int,
        in_size: Optional[Tuple[int, int]] = None,
        embedding_dims: Optional[int] = 512,
        neck: Optional[dict] = None,
        layout: Optional[str] = None,
        init_cfg: Optional[Union[dict, list]] = dict(type='Caffe2Xavier', layer='Linear'),
    ):
        super().__init__(init_cfg=init_cfg)
        self.num_identities = num_identities
        self.in_channels = in_channels
        self.in_size = in_size
        self.layout = layout
        self.neck = MODELS.build(neck) if neck else nn.Identity()
        dims = in_channels * (in_size[0] * in_size[1] if in_size else 1)
        self.embedding = nn.Linear(dims, embedding_dims) if embedding_dims else nn.Identity()
        self.fc = nn.Linear(embedding_dims or dims, num_identities)

    def pre_logits(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """The embedding ``(N, embedding_dims)`` of F."""
        x = to_positions(self.neck(feats), self.in_channels, self.in_size, self.layout)
        return self.embedding(x.flatten(1))

    def forward(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """Logits ``(N, num_identities)``."""
        return self.fc(self.pre_logits(feats))

    def loss(
        self, feats: Union[torch.Tensor, Sequence], data_samples: Union[DataSample, Sequence[DataSample]]
    ) -> Dict[str, torch.Tensor]:
        """``loss_id`` from the samples' ``gt_identity``."""
        logits = self(feats)
        return dict(loss_id=identity_loss(logits, batch_field(data_samples, 'gt_identity', logits.device)))
