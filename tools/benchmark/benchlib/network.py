"""IMCNN in any size, and models with shared weights."""

import copy
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS
from torch import nn

from imcnn_plugin.attributes import FIRST_SPLIT
from imcnn_plugin.engine import load_config

from .reference_model import ReferenceBackbone, ReferenceHead

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
IMCNN_CONFIG = CONFIGS / 'imcnn_celeba.py'


@dataclass(frozen=True)
class Network:
    """The size of an IMCNN, by default that of the paper.

    Args:
        width: Factor for the size of every layer.
        size: Side of the images in pixels.
        num_identities: Number of identities; 0 means no identity branch.
    """

    width: float = 1.0
    size: int = 112
    num_identities: int = 8192

    @property
    def channels(self) -> int:
        """Channels of one ConvAttr."""
        return round(512 * self.width)

    @property
    def side(self) -> int:
        """Side of the map F: halved by three poolings, which round down, and by one convolution, which rounds up."""
        return -(-(self.size // 8) // 2)

    @property
    def hidden(self) -> int:
        """Size of FC1Attr and FC2Attr."""
        return round(1024 * self.width)

    @property
    def embedding(self) -> int:
        """Size of the layer before the identities."""
        return round(512 * self.width)

    def resize(self, cfg: Config) -> Config:
        """Sets this size in a config of IMCNN, in place."""
        f = dict(in_channels=self.channels * len(FIRST_SPLIT), in_size=(self.side, self.side))
        cfg.model.backbone.width = self.width
        cfg.model.head.attr_head.update(f, hidden_dims=(self.hidden, self.hidden))
        if self.num_identities:
            cfg.model.head.id_head.update(f, num_identities=self.num_identities, embedding_dims=self.embedding)
        else:
            cfg.model.head.id_head = None
        return cfg

    def build(self, device: str = 'cpu') -> ImageClassifier:
        """The model of ``configs/imcnn_celeba.py`` in this size; see :func:`build_model`."""
        return build_model(self.resize(load_config(IMCNN_CONFIG)), device)

    def build_reference(self) -> ImageClassifier:
        """The reference network in a stock ``ImageClassifier`` with the stock preprocessor."""
        return ImageClassifier(
            backbone=ReferenceBackbone(self.width),
            head=ReferenceHead(self.channels * self.side**2, self.hidden, self.embedding, self.num_identities),
            data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True),
        )


def build_model(cfg: Config, device: str = 'cpu') -> ImageClassifier:
    """Builds a config's model with initial weights, or without weights on the meta device."""
    with DefaultScope.overwrite_default_scope('mmpretrain'), torch.device(device):
        model = MODELS.build(cfg.model)
    if device != 'meta':
        # At lower levels, mmengine logs how each weight was initialized.
        MMLogger.get_current_instance().setLevel('ERROR')
        model.init_weights()
    return model


def share_weights(model: ImageClassifier) -> ImageClassifier:
    """A second model that shares the weights, to be compiled or run differently from the first."""
    return copy.deepcopy(model, memo={id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())})


def count_weights(model: nn.Module) -> int:
    """The number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())
