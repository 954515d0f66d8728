from typing import Dict, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from mmpretrain.registry import MODELS
from torch import nn

from ..errors import ConfigError, check_sizes
from .batch_fields import Samples, batch_field
from .build_part import _build_part
from .features import flatten_features
from .losses import identity_loss


@MODELS.register_module()
class IdentityHead(BaseModule):
    """The paper's identity branch: a fully connected mapping of the merged feature F to identities (section 3.2).

    Args:
        num_identities: Number of training identities K. In a config, 'auto' is replaced by the number in the training
            set, see :func:`~imcnn_plugin.engine.build_runner`.
        in_channels: Number of channels of F.
        in_size: Height and width of F. None averages over positions.
        embedding_dims: Size of a linear layer before the classifier. None maps F directly to K identities, as in the
            paper's text. The paper's Table 1 has 512 units in between: the same linear mapping at rank 512, without
            the 150,528 x 8,192 weights.
        neck: Config of a module applied to F first; ``in_channels`` and ``in_size`` then describe its output.
        layout: Axis order of a map, see :func:`~imcnn_plugin.models.features.flatten_features`.
        sync_avg_factor: Whether to count known identities over all processes, see
            :func:`~imcnn_plugin.models.losses.valid_count`.
        init_cfg: Defaults to the paper's Xavier filler.

    Raises:
        ConfigError: ``num_identities`` is still 'auto', or a size is not a positive integer.
    """

    def __init__(
        self,
        num_identities: Union[int, str],
        in_channels: int,
        in_size: Optional[Tuple[int, int]] = None,
        embedding_dims: Optional[int] = 512,
        neck: Optional[dict] = None,
        layout: Optional[str] = None,
        sync_avg_factor: bool = False,
        init_cfg: Optional[Union[dict, list]] = dict(type='Caffe2Xavier', layer='Linear'),
    ):
        super().__init__(init_cfg=init_cfg)
        if num_identities == 'auto':
            raise ConfigError(
                "num_identities='auto' is resolved by tools/train.py and imcnn_plugin.engine.build_runner: use one of "
                'them, or set the number of training identities'
            )
        check_sizes(
            num_identities=num_identities, in_channels=in_channels, in_size=in_size, embedding_dims=embedding_dims
        )
        self.num_identities = num_identities
        self.in_channels = in_channels
        self.in_size = in_size
        self.layout = layout
        self.sync_avg_factor = sync_avg_factor
        self.neck = _build_part(neck) if neck else nn.Identity()
        dims = in_channels * (in_size[0] * in_size[1] if in_size else 1)
        self.embedding = nn.Linear(dims, embedding_dims) if embedding_dims else nn.Identity()
        self.fc = nn.Linear(embedding_dims or dims, num_identities)

    def pre_logits(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """Embeddings ``(N, embedding_dims)`` of F."""
        x = flatten_features(self.neck(feats), self.in_channels, self.in_size, self.layout)
        return self.embedding(x.flatten(1))

    def forward(self, feats: Union[torch.Tensor, Sequence]) -> torch.Tensor:
        """Logits ``(N, num_identities)``."""
        return self.fc(self.pre_logits(feats))

    def loss(self, feats: Union[torch.Tensor, Sequence], data_samples: Samples) -> Dict[str, torch.Tensor]:
        """``loss_id`` from the samples' ``gt_identity``."""
        logits = self(feats)
        identity = batch_field(data_samples, 'gt_identity', logits.device)
        return dict(loss_id=identity_loss(logits, identity, self.sync_avg_factor))
