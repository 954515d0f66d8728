"""A checkpoint with what predictions need and nothing more, for others to use."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Union

from .. import __version__
from ..checkpoints.config_text import parse_config
from ..checkpoints.load_model import drop_identity_head, load_trained
from ..checkpoints.read_checkpoint import read_checkpoint, save_checkpoint
from ..engine.attribute_report_hook import VERSIONS

# Of meta, what says how the weights came about and how they are to be used.
KEPT = ('epoch', 'iter', 'seed', 'time', 'experiment_name', 'dataset_meta', 'calibration')
# Of the config, where a training had its files and how it was started.
LEFT_OUT = ('work_dir', 'load_from', 'resume', 'launcher')


@dataclass(frozen=True)
class Published:
    """A published file, and what is not in it."""

    path: Path
    bytes_before: int
    bytes_after: int
    dropped: List[str]  # parts of the checkpoint and keys of its config
    paths: List[str]  # of the machine of the training, of which the last part is left


def publish(path: Union[str, Path], out: Union[str, Path]) -> Published:
    """Writes what predictions need of a checkpoint, under a name that ends in the start of its SHA-256.

    The weights are those that were evaluated: those of ``state_dict``, where mmengine's ``EMAHook`` puts the averages.

    Args:
        path: The checkpoint's file.
        out: A file or, without the ending .pth, a folder, in which the file gets the name of the training. The first
            8 hexadecimal digits are put before the ending, so that ``torch.hub`` can check what it downloads.

    Raises:
        DataError: The checkpoint cannot be read, or the other not be written.
    """
    checkpoint = read_checkpoint(path)
    weights = load_trained(path).state_dict()
    cfg = parse_config(checkpoint['meta']['cfg'], path)
    drop_identity_head(cfg)
    dropped = [key for key in checkpoint if key not in ('meta', 'state_dict')]
    if identity := sum(value.numel() for key, value in checkpoint['state_dict'].items() if key not in weights):
        dropped.append(f'identity branch ({identity:,} weights)')
    dropped += [key for key in LEFT_OUT if cfg.pop(key, None)]
    paths = []
    meta = dict(
        {key: checkpoint['meta'][key] for key in KEPT if key in checkpoint['meta']},
        cfg=type(cfg)(without_folders(cfg.to_dict(), paths)).pretty_text,
        # A version of torch is more than text, which a checkpoint may not be.
        versions={name: str(version) for name, version in dict(VERSIONS, imcnn_plugin=__version__).items()},
    )
    meta['dataset_meta'] = without_folders(meta.get('dataset_meta', {}), paths)

    folder, stem = Path(out), re.sub('_[0-9]{8}_[0-9]{6}$', '', meta.get('experiment_name', Path(path).stem))
    if folder.suffix == '.pth':
        folder, stem = folder.parent, folder.stem
    unnamed = folder / f'{stem}.unnamed.pth'
    save_checkpoint(dict(meta=meta, state_dict=weights), unnamed)
    with unnamed.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    named = unnamed.replace(folder / f'{stem}-{digest[:8]}.pth')
    return Published(named, Path(path).stat().st_size, named.stat().st_size, dropped, paths)


def without_folders(node: Any, found: List[str]) -> Any:
    """The same with only the last part of absolute paths, which name a machine and its user. They go to ``found``."""
    if isinstance(node, dict):
        return {key: without_folders(value, found) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(without_folders(value, found) for value in node)
    if isinstance(node, str) and Path(node).is_absolute():
        if node not in found:
            found.append(node)
        return Path(node).name
    return node
