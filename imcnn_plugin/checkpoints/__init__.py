from .atomic_backend import WholeFileBackend
from .find_latest import newest_checkpoint
from .load_model import drop_identity_head, load_trained
from .read_checkpoint import read_checkpoint, save_checkpoint
from .safe_load import allow_mmengine_checkpoints

__all__ = [
    'WholeFileBackend',
    'allow_mmengine_checkpoints',
    'drop_identity_head',
    'load_trained',
    'newest_checkpoint',
    'read_checkpoint',
    'save_checkpoint',
]
