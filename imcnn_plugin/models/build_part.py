from mmpretrain.registry import MODELS
from torch import nn


def _build_part(cfg: dict) -> nn.Module:
    """Builds a part of a model from its config. Names without a prefix are looked up in mmpretrain.

    The default scope belongs to the project that trains: in mmdet's, ``CrossEntropyLoss`` is another class.
    """
    return MODELS.build(dict(dict(_scope_='mmpretrain'), **cfg))
