"""A model from the file of a checkpoint alone."""

import hashlib
from pathlib import Path
from typing import Union

import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.models import ImageClassifier
from torch import nn

from ..errors import ConfigError, DataError, IMCNNError, in_one_line, unfit_weights
from ..models import GroupedMultiLabelHead
from .config_text import parse_config
from .read_checkpoint import read_checkpoint


def load_trained(path: Union[str, Path], device: Union[str, torch.device] = 'cpu') -> ImageClassifier:
    """A model for predictions with its config in ``_config``; the identity branch is left out.

    Args:
        path: A checkpoint of a training with mmengine, or a published one.
        device: Where the model goes.

    Raises:
        DataError: There is no such file, it is no checkpoint that says what its model is, or a weight is not finite.
        ConfigError: A module that the config imports is missing, or the model has no head of grouped labels.
    """
    checkpoint = read_checkpoint(path)
    cfg = parse_config(checkpoint['meta']['cfg'], path)
    try:
        drop_identity_head(cfg)
        model = get_model(cfg)
        head = attribute_head(model)
    except IMCNNError as error:
        raise type(error)(f'{path}: {error}') from error
    # What a part raises of settings that do not fit is up to the part.
    except Exception as error:
        raise DataError(f'{path}: the model in its config cannot be built ({in_one_line(error)})') from error
    try:
        model.load_state_dict(checkpoint['state_dict'])
    except (RuntimeError, TypeError) as error:
        raise unfit_weights(path, error) from error
    for name, value in model.state_dict().items():
        if not value.isfinite().all():
            raise DataError(f'{path}: {name} is not finite, so nothing can be predicted: give another checkpoint')
    if not (head.temperature > 0).all():
        raise DataError(f'{path}: a temperature of its calibration is not above 0: calibrate it anew')
    return model.to(device).eval()


def attribute_head(model: ImageClassifier) -> GroupedMultiLabelHead:
    """The head that predicts attributes.

    Raises:
        ConfigError: The model has another one.
    """
    head = getattr(model.head, 'attr_head', model.head)
    if not isinstance(head, GroupedMultiLabelHead):
        raise ConfigError(f'the model ends in {type(head).__name__}: attributes need a GroupedMultiLabelHead')
    return head


def weights_checksum(model: nn.Module) -> str:
    """The start of the SHA-256 of the weights that logits depend on, which calibration and identity branch are not."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        if not name.endswith(('.thresholds', '.temperature')) and '.id_head.' not in name:
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def drop_identity_head(cfg: Config) -> None:
    """For tests and predictions, which do not run it and then need not know the number of identities."""
    if 'id_head' in ((cfg.get('model') or {}).get('head') or {}):
        cfg.model.head.id_head = None
