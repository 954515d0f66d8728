"""Reads checkpoints as data, without running code from them, and writes checkpoints."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import mmengine.registry
import torch
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.utils import import_modules_from_strings

from ..errors import ConfigError, DataError
from ..files import replacing
from .config_text import config_dicts, parse_config
from .find_latest import checkpoint_file
from .safe_load import check_checkpoint, load_file


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file that has been read and checked.

    Args:
        path: The file.
        content: The dict in the file: ``state_dict``, ``meta``, ``optimizer``, ... Tensors are memory-mapped, so they
            are read from the file only when used.
        cfg: The config in ``meta``, parsed as data and never executed.
    """

    path: Path
    content: dict
    cfg: Config

    @property
    def meta(self) -> dict:
        """Epoch, iteration, seed, dataset_meta, calibration, ..."""
        return self.content['meta']

    @property
    def name(self) -> str:
        """The run's name without the timestamp, which is the name of its config; the file's stem if meta has none."""
        return re.sub('_[0-9]{8}_[0-9]{6}$', '', self.meta.get('experiment_name', self.path.stem))

    @property
    def state_dict(self) -> dict:
        """The weights by name."""
        return self.content['state_dict']


def read_checkpoint(path: Union[str, Path]) -> Checkpoint:
    """Reads and checks an mmengine checkpoint, given as a file or as the work directory of a run.

    :func:`checkpoint_file` chooses the file in a work directory. The modules in ``custom_imports`` of the config are
    imported, so that the components of other packages are registered.

    Raises:
        DataError: The file is missing, damaged or not an mmengine checkpoint, or loading it would run code.
        ConfigError: A module that the config imports is missing.
    """
    path = checkpoint_file(path)
    content = check_checkpoint(load_file(path, map_location='cpu', mmap=True), path)
    if content.get('meta') is None or 'state_dict' not in content:
        raise DataError(f'{path} has no meta and state_dict: give a checkpoint that mmengine wrote')
    if not isinstance(content['meta'].get('cfg'), str):
        raise DataError(f"{path} has no config in meta['cfg']: give a checkpoint that mmengine wrote")
    cfg = parse_config(content['meta']['cfg'], path)
    try:
        import_modules_from_strings(**(cfg.get('custom_imports') or dict(imports=[])))
    except ImportError as error:
        raise ConfigError(f'{path} needs a module that is missing ({error}): install it') from error
    except (TypeError, ValueError) as error:
        raise DataError(f'{path}: custom_imports in its config cannot be used ({error}): do not trust it') from error
    for name in (node.get('type') for node in config_dicts(cfg.to_dict())):
        if isinstance(name, str) and not _is_registered(name):
            raise DataError(f"{path}: type '{name}' in its config is not a registered name: do not trust it")
    return Checkpoint(Path(path), content, cfg)


def _is_registered(name: str) -> bool:
    """Whether a ``type`` is in a registry; mmengine would import and call any other dotted name.

    A name is that of a registry's scope and its entry or, in a config that imports its classes, of the module that a
    registered class was imported from.
    """
    scope, _, last = name.rpartition('.')
    if not scope:
        return True
    roots = [registry for registry in vars(mmengine.registry).values() if isinstance(registry, Registry)]
    for registry in [registry for root in roots for registry in (root, *root.children.values())]:
        if registry.scope in (scope, scope.partition('.')[0]):
            registry.import_from_location()
        found = registry.module_dict.get(last)
        if found and (registry.scope == scope or vars(sys.modules.get(scope, object)).get(last) is found):
            return True
    return False


def save_checkpoint(content: dict, path: Union[str, Path]) -> None:
    """Writes a checkpoint atomically. The same content gives the same bytes.

    Raises:
        DataError: The file cannot be written.
    """
    with replacing(path) as temporary:
        try:
            with temporary.open('wb') as file:
                torch.save(content, file)
        except RuntimeError as error:
            # After a failed write, torch also fails to close its archive: report the first error.
            raise (error.__context__ or error) from None
