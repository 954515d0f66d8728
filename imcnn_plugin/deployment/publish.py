"""Strips a checkpoint to what inference needs, so that others can use it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Union

from mmengine.config import Config

from .. import __version__
from ..checkpoints.load_model import load_model
from ..checkpoints.read_checkpoint import read_checkpoint, save_checkpoint
from ..engine.attribute_report_hook import VERSIONS
from ..files import writable

# Keys of meta that describe how the weights were made and how to use them.
_KEPT = ('epoch', 'iter', 'seed', 'time', 'experiment_name', 'dataset_meta', 'trained_on', 'calibration')
# Keys of the config that describe where a run had its files and how it was started.
_DROPPED = ('work_dir', 'load_from', 'resume', 'launcher')


@dataclass(frozen=True)
class Published:
    """A published file, and what was dropped from it.

    Args:
        path: The file.
        bytes_before: Size of the original.
        bytes_after: Size of the file.
        dropped: Parts of the checkpoint and keys of its config.
        paths: Absolute paths that were reduced to file names.
    """

    path: Path
    bytes_before: int
    bytes_after: int
    dropped: List[str]
    paths: List[str]


def publish(path: Union[str, Path], out: Union[str, Path]) -> Published:
    """Writes the parts of a checkpoint that inference needs, to a file whose name ends with the start of its SHA-256.

    The published weights are those that were evaluated, ``state_dict``, where mmengine's ``EMAHook`` stores averages.

    Args:
        path: The checkpoint file, or the work directory of its run.
        out: A file that ends in .pth, or a folder, in which the file is named after the run. The first 8 hexadecimal
            digits are inserted before the suffix, so that ``torch.hub`` can verify the download.

    Raises:
        DataError: The checkpoint cannot be read, or the other cannot be written.
    """
    checkpoint = read_checkpoint(path)
    folder, stem = Path(out), checkpoint.name
    if folder.suffix == '.pth':
        folder, stem = folder.parent, folder.stem
    unnamed = writable(folder / f'{stem}.unnamed.pth')
    trained = load_model(checkpoint)
    weights = trained.model.state_dict()
    cfg = trained.cfg.to_dict()
    dropped = [key for key in checkpoint.content if key not in ('meta', 'state_dict')]
    if identity := sum(value.numel() for key, value in checkpoint.state_dict.items() if key not in weights):
        dropped.append(f'identity branch ({identity:,} weights)')
    dropped += [key for key in _DROPPED if cfg.pop(key, None)]
    paths = []
    meta = dict(
        {key: checkpoint.meta[key] for key in _KEPT if key in checkpoint.meta},
        cfg=Config(_without_folders(cfg, paths)).pretty_text,
        # A torch version is a subclass of str, which a checkpoint must not contain.
        versions={name: str(version) for name, version in dict(VERSIONS, imcnn_plugin=__version__).items()},
    )
    meta['dataset_meta'] = _without_folders(meta.get('dataset_meta', {}), paths)

    save_checkpoint(dict(meta=meta, state_dict=weights), unnamed)
    with unnamed.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    named = unnamed.replace(folder / f'{stem}-{digest[:8]}.pth')
    return Published(named, checkpoint.path.stat().st_size, named.stat().st_size, dropped, paths)


def _without_folders(node: Any, found: List[str]) -> Any:
    """Reduces absolute paths, which name a machine and its user, to file names; the paths are added to ``found``."""
    if isinstance(node, dict):
        return {key: _without_folders(value, found) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return type(node)(_without_folders(value, found) for value in node)
    if isinstance(node, str) and Path(node).is_absolute():
        if node not in found:
            found.append(node)
        return Path(node).name
    return node
