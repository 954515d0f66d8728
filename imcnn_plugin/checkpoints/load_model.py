"""Builds a model for prediction from its checkpoint file alone."""

import copy
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, List, Union

import numpy as np
import torch
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.models import ImageClassifier

from ..errors import ConfigError, DataError, IMCNNError, mismatched_weights, one_line
from ..models import GroupedMultiLabelHead
from .config_text import config_dicts
from .read_checkpoint import Checkpoint, read_checkpoint
from .safe_load import safe_loaders


@dataclass(frozen=True)
class TrainedModel:
    """A trained model with the config and metadata of its checkpoint.

    Args:
        model: The model in evaluation mode. It has no identity branch unless one was requested.
        cfg: The config that the model was built from, also without the identity branch unless requested.
        meta: The checkpoint's ``meta``.
    """

    model: ImageClassifier
    cfg: Config
    meta: dict

    @cached_property
    def head(self) -> GroupedMultiLabelHead:
        """The head that predicts attributes.

        Raises:
            ConfigError: The model has another type of head.
        """
        head = getattr(self.model.head, 'attr_head', self.model.head)
        if not isinstance(head, GroupedMultiLabelHead):
            raise ConfigError(f'the model ends in {type(head).__name__}: attributes need a GroupedMultiLabelHead')
        return head

    @property
    def groups(self) -> List[dict]:
        """The groups of attributes in the config of the head, dicts of ``name`` and ``labels``."""
        head = self.cfg.model.head
        return (head.get('attr_head') or head).groups

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """The calibrated probabilities ``(N, L)`` for logits ``(N, L)``."""
        return self.head.probabilities(torch.from_numpy(logits).to(self.head.temperature)).cpu().numpy()

    @cached_property
    def checksum(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the weights that the logits depend on."""
        digest = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            # The logits depend neither on the calibration nor on the identity branch.
            if not name.endswith(('.thresholds', '.temperature')) and '.id_head.' not in name:
                digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def load_model(
    source: Union[str, Path, Checkpoint], device: Union[str, torch.device] = 'cpu', identity: bool = False
) -> TrainedModel:
    """Builds the model of a checkpoint, loads its weights and checks them.

    Args:
        source: A checkpoint file of mmengine, possibly a published one. Pass the result of :func:`read_checkpoint` to
            avoid reading the file twice.
        device: The device to move the model to.
        identity: Whether to keep the identity branch.

    Raises:
        DataError: The file is not a usable checkpoint, its weights do not match the model, or a weight is not finite.
        ConfigError: A module that the config imports is missing.
    """
    checkpoint = source if isinstance(source, Checkpoint) else read_checkpoint(source)
    path, cfg = checkpoint.path, copy.deepcopy(checkpoint.cfg)
    if not identity:
        drop_identity_head(cfg)
    drop_pretrained(cfg.get('model'))
    if not cfg.get('test_dataloader'):
        # mmpretrain would treat None as a data loader.
        cfg.pop('test_dataloader', None)
    try:
        # A module named in this config may itself load another checkpoint.
        with safe_loaders():
            model = get_model(cfg)
    except IMCNNError as error:
        raise type(error)(f'{path}: {error}') from error
    # Modules raise exceptions of any type for invalid settings.
    except Exception as error:
        raise DataError(f'{path}: the model in its config cannot be built ({one_line(error)})') from error
    try:
        model.load_state_dict(checkpoint.state_dict)
    except (RuntimeError, TypeError) as error:
        raise mismatched_weights(path, error) from error
    for name, value in model.state_dict().items():
        if not value.isfinite().all():
            raise DataError(f'{path}: {name} is not finite, so nothing can be predicted: give another checkpoint')
        if name.endswith('.temperature') and not (value > 0).all():
            raise DataError(f'{path}: a temperature of its calibration is not above 0: calibrate it again')
    return TrainedModel(model.to(device).eval(), cfg, checkpoint.meta)


def drop_identity_head(cfg: Config) -> None:
    """Removes the identity branch from a config, since testing and prediction do not run it."""
    if 'id_head' in ((cfg.get('model') or {}).get('head') or {}):
        cfg.model.head.id_head = None


def drop_pretrained(model: Any) -> None:
    """Keeps timm's models in a model's config from loading weights, perhaps from the internet, that are replaced."""
    for part in config_dicts(model):
        if str(part.get('type')).endswith('TIMMBackbone'):
            part['pretrained'], part['checkpoint_path'] = False, ''
