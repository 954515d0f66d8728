"""Reads checkpoints safely, writes them atomically, and builds models from them."""

from .atomic_backend import AtomicBackend
from .config_text import config_dicts, parse_config
from .find_latest import BEST, checkpoint_file, find_best, find_latest
from .load_model import TrainedModel, drop_identity_head, drop_pretrained, load_model
from .read_checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from .safe_load import (
    allow_mmengine_checkpoints,
    check_checkpoint,
    load_file,
    register_safe_loaders,
    safe_loaders,
)

__all__ = [
    'AtomicBackend', 'BEST', 'Checkpoint', 'TrainedModel', 'allow_mmengine_checkpoints', 'check_checkpoint',
    'checkpoint_file', 'config_dicts', 'drop_identity_head', 'drop_pretrained', 'find_best', 'find_latest',
    'load_file', 'load_model', 'parse_config', 'read_checkpoint', 'register_safe_loaders', 'safe_loaders',
    'save_checkpoint'
]  # fmt: skip
