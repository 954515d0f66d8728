"""What is in a checkpoint's file, as data, and back into a file."""

from pathlib import Path
from typing import Any, Iterator, Union

import mmengine.registry
import torch
from mmengine.registry import Registry
from mmengine.utils import import_modules_from_strings

from ..errors import ConfigError, DataError
from ..files import replacing
from .config_text import parse_config
from .safe_load import checked, load_file


def read_checkpoint(path: Union[str, Path]) -> dict:
    """All that a checkpoint holds. Its tensors are read from the file when they are used.

    The modules that its config imports are imported, so that the parts of other packages are registered.

    Raises:
        DataError: There is no such file, it is no checkpoint of mmengine, or it is not to be trusted.
        ConfigError: A module that the config imports is missing.
    """
    checkpoint = checked(load_file(path, map_location='cpu', mmap=True), path)
    if checkpoint.get('meta') is None or 'state_dict' not in checkpoint:
        raise DataError(f'{path} has no meta and state_dict: give a checkpoint that mmengine wrote')
    if not isinstance(checkpoint['meta'].get('cfg'), str):
        raise DataError(f"{path} has no config in meta['cfg']: give a checkpoint that mmengine wrote")
    cfg = parse_config(checkpoint['meta']['cfg'], path)
    try:
        import_modules_from_strings(**(cfg.get('custom_imports') or dict(imports=[])))
    except ImportError as error:
        raise ConfigError(f'{path} needs a module that is missing ({error}): install it') from error
    except (TypeError, ValueError) as error:
        raise DataError(f'{path}: custom_imports in its config cannot be used ({error}): do not trust it') from error
    for name in types_of(cfg._cfg_dict):
        if not is_registered(name):
            raise DataError(f"{path}: type '{name}' in its config is no registered name: do not trust it")
    return checkpoint


def types_of(node: Any) -> Iterator[str]:
    """All ``type``s in a config."""
    if isinstance(node, dict):
        if isinstance(node.get('type'), str):
            yield node['type']
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from types_of(value)


def is_registered(name: str) -> bool:
    """Whether a ``type`` is a name in a registry; mmengine would import whatever another one leads to, and call it."""
    scope, _, last = name.rpartition('.')
    if not scope:
        return True
    roots = [registry for registry in vars(mmengine.registry).values() if isinstance(registry, Registry)]
    for registry in [registry for root in roots for registry in (root, *root.children.values())]:
        if registry.scope == scope:
            registry.import_from_location()
            if last in registry.module_dict:
                return True
    return False


def save_checkpoint(checkpoint: dict, path: Union[str, Path]) -> None:
    """Writes a checkpoint at once or not at all. The same contents give the same bytes.

    Raises:
        DataError: It cannot be written.
    """
    with replacing(path) as temporary:
        try:
            with temporary.open('wb') as file:
                torch.save(checkpoint, file)
        except RuntimeError as error:
            # After a failed write torch tries to end its archive, and fails again.
            raise (error.__context__ or error) from None
