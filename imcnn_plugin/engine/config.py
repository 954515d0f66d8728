import os
from pathlib import Path
from typing import Any, Optional, Union

import torch.distributed
from mmengine.config import Config
from mmpretrain.registry import DATASETS

from ..datasets.packed_faces import PackedFaces
from ..errors import ConfigError, in_one_line

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def load_config(
    path: Union[str, Path],
    data_root: Optional[str] = None,
    work_dir: Optional[str] = None,
    cfg_options: Optional[dict] = None,
    launcher: str = 'none',
) -> Config:
    """Loads a config and settles what a command line may change.

    Args:
        path: The config file.
        data_root: Replaces ``data_root`` wherever the config has it. So does ``data_root`` in ``cfg_options``.
        work_dir: Where results go; defaults to the config's, then to ``work_dirs/<name of the config>``.
        cfg_options: Values by dotted keys.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ConfigError: The file cannot be read, a value cannot be set, or a section is of the wrong kind.
    """
    try:
        cfg = Config.fromfile(path)
    # A config is a program, which may raise anything.
    except Exception as error:
        raise ConfigError(f'{path}: this config cannot be read ({in_one_line(error)})') from error
    data_root = data_root or (cfg_options or {}).get('data_root')
    if data_root:
        replace_data_root(cfg._cfg_dict, str(Path(str(data_root)).expanduser()))
    for key, value in (cfg_options or {}).items():
        set_option(cfg, key, value)
    check_sections(cfg)
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs', Path(path).stem))
    for name in LOADERS:
        if loader := cfg.get(name):
            if not loader.get('num_workers'):
                loader.persistent_workers = False
            loader.setdefault('persistent_workers', True)
            # What is on the device already cannot be pinned.
            loader.setdefault('pin_memory', torch.cuda.is_available() and not loader.dataset.get('device'))
    return cfg


def set_option(cfg: Config, key: str, value: Any) -> None:
    """Sets what a user gave by a dotted key.

    Raises:
        ConfigError: There is no such place, or a number there and the value is none.
    """
    found = cfg._cfg_dict
    for name in key.split('.'):
        found = found.get(name) if isinstance(found, dict) else None
    if is_number(found) and value is not None and not is_number(value):
        raise ConfigError(f'{key} is {value!r}, but {cfg.filename} has {found!r} there: give a number')
    try:
        cfg.merge_from_dict({key: value})
    # A place in a list that has no such place, or in what has no places.
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f'{key}={value!r} cannot be set in {cfg.filename} ({in_one_line(error)})') from error


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_sections(cfg: Config) -> None:
    """Refuses a config whose model or data loaders are something else.

    Raises:
        ConfigError: Names the key and what is there.
    """
    # A base config has no model.
    sections = dict(model=cfg.get('model', {}))
    for name in LOADERS:
        if (loader := cfg.get(name)) is not None:
            sections[name] = loader
            sections[f'{name}.dataset'] = loader.get('dataset') if isinstance(loader, dict) else {}
            if isinstance(loader, dict) and not isinstance(loader.get('batch_size', 1), int):
                raise ConfigError(
                    f'{cfg.filename}: {name}.batch_size is {loader.batch_size!r}, expected a whole number'
                )
    for key, section in sections.items():
        if not isinstance(section, dict):
            raise ConfigError(f'{cfg.filename}: {key} is {section!r}, expected a dict')


def replace_data_root(node, data_root: str) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == 'data_root':
                node[key] = data_root
            else:
                replace_data_root(value, data_root)
    elif isinstance(node, (list, tuple)):
        for value in node:
            replace_data_root(value, data_root)


# Where a config has a data set's folder from.
ROOTS = dict(CelebAIdentity='CELEBA_ROOT', PackedFaces='CELEBA_PACK', LFWA='LFWA_ROOT')


def data_config(cfg: Config, data_root: Optional[str], cfg_options: Optional[dict] = None) -> Config:
    """The config with the data set's folder of this machine, see :func:`calibrate`."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset', {})
    data_root = data_root or os.environ.get(ROOTS.get(dataset.get('type', '').split('.')[-1], ''))
    if data_root:
        replace_data_root(cfg._cfg_dict, str(Path(data_root).expanduser()))
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    return cfg


def open_part(cfg: Config, split: Optional[str] = None):
    """The data set of a config's test part, or of another split of the same data and protocol."""
    return DATASETS.build(dict(cfg.test_dataloader.dataset, **(dict(split=split) if split else {})))


def open_pictures(cfg: Config, split: Optional[str] = None):
    """:func:`open_part`, of a data set whose images are files.

    Raises:
        ConfigError: They are in a pack.
    """
    dataset = open_part(cfg, split)
    if isinstance(dataset, PackedFaces):
        raise ConfigError(
            f'{cfg.filename} has its images in a pack: give a config that reads files, with the same model, such as '
            'imcnn_celeba.py in place of imcnn_celeba_fast.py'
        )
    return dataset
