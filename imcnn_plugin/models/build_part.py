from mmpretrain.registry import MODELS
from torch import nn


def _build_part(cfg: dict) -> nn.Module:
    """Builds a part of a model from its config, where a name without a prefix is mmpretrain's.

    The default scope is that of the project that trains: with mmdet's, ``CrossEntropyLoss`` would be another class.
    """
    return MODELS.build(dict(dict(_scope_='mmpretrain'), **cfg))
