"""Builds a complete config from a config file and command-line options."""

import logging
import os
from pathlib import Path
from typing import Any, List, Optional, Union

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.logging import MMLogger, print_log
from mmengine.registry import Registry
from mmpretrain.engine import VisualizationHook
from mmpretrain.registry import DATASETS, HOOKS, METRICS

from ..checkpoints.config_text import config_dicts
from ..checkpoints.find_latest import checkpoint_file
from ..checkpoints.read_checkpoint import read_checkpoint
from ..datasets import FaceDataset, PackedDataset
from ..errors import ConfigError, one_line
from ..evaluation import PerAttributeAccuracy
from .config_keys import _check_keys
from .console import _quiet_console
from .evaluation_data import build_dataset
from .pin_memory import pins_memory

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# The keys of a config that are None in a run without validation and test.
EVALUATION = tuple(f'{split}_{part}' for split in ('val', 'test') for part in ('dataloader', 'cfg', 'evaluator'))
# The environment variable from which the configs take the folder of a dataset.
_DATA_ROOTS = dict(CelebAIdentity='CELEBA_ROOT', PackedFaces='CELEBA_PACK', LFWA='LFWA_ROOT', PackedLFWA='LFWA_PACK')
_PACKAGE = Path(__file__).parents[1]
# The configs are inside the package in a wheel, and beside it in a checkout.
_CONFIG_FOLDERS = (_PACKAGE / '.mim' / 'configs', _PACKAGE.parent / 'configs')


def load_config(
    path: Union[str, Path],
    data_root: Optional[str] = None,
    work_dir: Optional[str] = None,
    cfg_options: Optional[dict] = None,
    launcher: str = 'none',
) -> Config:
    """Loads a config, applies command-line options, and completes the config.

    Datasets without ``classes`` take those of the attribute head, and
    :class:`~imcnn_plugin.evaluation.PerAttributeAccuracy` without ``groups`` takes the head's groups.

    Args:
        path: A config file, or the name of a config of this package such as ``imcnn_celeba.py``. For a checkpoint
            (``.pth``) or a work directory, the config of that run is used.
        data_root: Replaces ``data_root`` wherever the config has it. So does ``data_root`` in ``cfg_options``.
        work_dir: The directory for results. Defaults to ``work_dir`` in a config file, then to
            ``work_dirs/<name of the config>``, with a subdirectory ``fold<k>`` for a fold of a cross-validation.
        cfg_options: Values by dotted key.
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ConfigError: The file cannot be read, a value cannot be set, a key is misspelled, or a section has the wrong
            type.
        DataError: The checkpoint cannot be read.
    """
    # mmengine would report each environment variable that it reads.
    _quiet_console(MMLogger.get_current_instance())
    data_root = data_root or (cfg_options or {}).get('data_root')
    path = checkpoint_file(path)
    if Path(path).suffix == '.pth':
        checkpoint = read_checkpoint(path)
        cfg, name = localize_data(checkpoint.cfg, data_root), checkpoint.name
        # These belong to the training run.
        for key in ('work_dir', 'load_from', 'resume'):
            cfg.pop(key, None)
        # mmengine names a run, and the config in its work directory, after the config's file.
        cfg = Config(cfg.to_dict(), cfg_text=checkpoint.meta['cfg'], filename=f'{name}.py')
    else:
        cfg, name = _read_config(path), Path(path).stem
        if Path(path).with_name('last_checkpoint').is_file():
            # A run left this config in its work directory, which may have been moved or copied since.
            resumed = Path(cfg.get('load_from') or '')
            if resumed.name and resumed.parent == Path(cfg.get('work_dir') or ''):
                cfg.load_from = str(Path(path).with_name(resumed.name))
            cfg.work_dir = str(Path(path).parent)
    _replace_data_root(cfg, data_root)
    written = list(cfg)
    for key, value in (cfg_options or {}).items():
        _set_option(cfg, path, key, value)
    # The run that wrote a checkpoint worked with its config as it is, misspelled keys included.
    if Path(path).suffix != '.pth':
        _check_keys(cfg, path, written)
    _check_sections(cfg, path)
    _share_labels(cfg)
    _unbatch_packs(cfg)
    _drop_repeated_hooks(cfg)
    cfg.launcher = launcher
    folds = _tested_fold(cfg)
    if folds and os.environ.get('FOLD', folds[0]) != folds[0]:
        print_log(f'FOLD={os.environ["FOLD"]} has no effect: {path} has fold {folds[0]}.', 'current', logging.WARNING)
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs', name, *(f'fold{fold}' for fold in folds)))
    for name in LOADERS:
        if loader := cfg.get(name):
            if not loader.get('num_workers'):
                loader.persistent_workers = False
            loader.setdefault('persistent_workers', True)
            loader.pin_memory = pins_memory(loader, name)
    return cfg


def _tested_fold(cfg: Config) -> List[str]:
    """The fold of a cross-validation, if the config has one."""
    datasets = (node for name in LOADERS for node in config_dicts(cfg.get(name)))
    return [
        str(node.get('fold', 0))
        for node in datasets
        if node.get('protocol') == 'kfold' or node.get('protocol') == 'halves' and 'fold' in node
    ][:1]


def _read_config(path: Union[str, Path]) -> Config:
    names = [Path(path), *(folder / path for folder in _CONFIG_FOLDERS if Path(path).name == str(path))]
    try:
        return Config.fromfile(next((name for name in names if name.is_file()), path))
    # A config is Python code and may raise anything.
    except Exception as error:
        raise ConfigError(f'{path}: this config cannot be read ({one_line(error)})') from error


def _set_option(cfg: Config, path: Union[str, Path], key: str, value: Any) -> None:
    """Sets a value by its dotted key."""
    found = cfg.to_dict()
    for name in key.split('.'):
        found = found.get(name) if isinstance(found, dict) else None
    if _is_number(found) and value not in (None, 'auto') and not _is_number(value):
        raise ConfigError(f'{key} is {value!r}, but {path} has {found!r} there: give a number')
    try:
        cfg.merge_from_dict({key: value})
    # The index is out of range, or a part of the key names something that is not a dict.
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f'{key}={value!r} cannot be set in {path} ({one_line(error)})') from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_sections(cfg: Config, path: Union[str, Path]) -> None:
    """Rejects a config whose model, data loaders or hooks do not have the types that mmengine expects."""
    # A base config has no model.
    sections = dict(model=cfg.get('model', {}), default_hooks=cfg.get('default_hooks') or {})
    if isinstance(sections['model'], dict):
        sections['model.head'] = sections['model'].get('head') or {}
    for name in LOADERS:
        if (loader := cfg.get(name)) is not None:
            sections[name] = loader
        if isinstance(loader, dict):
            sections[f'{name}.dataset'] = loader.get('dataset')
            for key in ('batch_size', 'num_workers'):
                if not isinstance(loader.get(key, 1), int):
                    raise ConfigError(f'{path}: {name}.{key} is {loader[key]!r}, expected an integer')
    for key, section in sections.items():
        if not isinstance(section, dict):
            raise ConfigError(f'{path}: {key} is {section!r}, expected a dict')
    if not isinstance(cfg.get('load_from') or '', (str, Path)):
        raise ConfigError(f'{path}: load_from is {cfg.load_from!r}, expected the file of a checkpoint')
    hooks = cfg.get('custom_hooks') or []
    if not isinstance(hooks, list) or not all(isinstance(hook, (dict, Hook)) for hook in hooks):
        raise ConfigError(f'{path}: custom_hooks is {hooks!r}, expected a list of dicts')


def _share_labels(cfg: Config) -> None:
    """Gives datasets the classes, and metrics the groups, of the attribute head if they have none of their own.

    Malformed classes and groups are left to the head, which reports what is wrong with them.
    """
    head = (cfg.get('model') or {}).get('head') or {}
    head = head.get('attr_head') or head
    classes, groups = (head.get(key) if isinstance(head, dict) else None for key in ('classes', 'groups'))
    if isinstance(classes, (list, tuple)):
        for dataset in (node for name in LOADERS for node in config_dicts(cfg.get(name))):
            kind = _registered(DATASETS, dataset)
            if not isinstance(kind, type) or not issubclass(kind, FaceDataset):
                continue
            # Those of CelebA and LFWA are the 40 attributes; a CSV file would have all its columns.
            if tuple(classes) != kind.METAINFO.get('classes'):
                dataset.setdefault('classes', list(classes))
    if isinstance(groups, (list, tuple)) and all(
        isinstance(group, dict) and {'name', 'labels'} <= group.keys() for group in groups
    ):
        groups = [{key: group[key] for key in ('name', 'labels')} for group in groups]
        for name in ('val_evaluator', 'test_evaluator'):
            for metric in config_dicts(cfg.get(name)):
                if _registered(METRICS, metric) is PerAttributeAccuracy:
                    metric.setdefault('groups', groups)


def _unbatch_packs(cfg: Config) -> None:
    """Makes packs return single images if a metric or a visualization hook cannot handle stacked samples."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    kinds = [_registered(HOOKS, hook) for hook in hooks if isinstance(hook, dict) and hook.get('enable')]
    drawn = any(isinstance(kind, type) and issubclass(kind, VisualizationHook) for kind in kinds)
    for name in ('val', 'test'):
        loader, metrics = cfg.get(f'{name}_dataloader'), cfg.get(f'{name}_evaluator') or []
        metrics = metrics if isinstance(metrics, list) else [metrics]
        others = any(_registered(METRICS, metric) is not PerAttributeAccuracy for metric in metrics)
        kind = _registered(DATASETS, loader.dataset) if loader else None
        if (drawn or others) and isinstance(kind, type) and issubclass(kind, PackedDataset):
            loader.dataset.setdefault('batched', False)
            loader.collate_fn = dict(type='default_collate')


def _drop_repeated_hooks(cfg: Config) -> None:
    """Moves hooks from ``custom_hooks``, where older configs list ours, if ``default_hooks`` has the same type."""
    names = {_registered(HOOKS, hook): name for name, hook in (cfg.get('default_hooks') or {}).items()}
    names.pop(None, None)
    for hook in cfg.get('custom_hooks') or []:
        if name := names.get(_registered(HOOKS, hook)):
            cfg.default_hooks[name] = hook
    if hooks := cfg.get('custom_hooks'):
        cfg.custom_hooks = [hook for hook in hooks if _registered(HOOKS, hook) not in names]


def _registered(registry: Registry, node: Any) -> Optional[type]:
    """The class of a part of a config, whose type is a name or a class, or of an object that is already built."""
    kind = node.get('type') if isinstance(node, dict) else type(node)
    return registry.get(kind) if isinstance(kind, str) else kind


def _replace_data_root(cfg: Config, data_root: Optional[str]) -> None:
    # dict(cfg) is a copy of the outermost dict only.
    for node in (cfg, *config_dicts(dict(cfg))) if data_root else ():
        if 'data_root' in node:
            node['data_root'] = str(Path(str(data_root)).expanduser())


def localize_data(cfg: Config, data_root: Optional[str], cfg_options: Optional[dict] = None) -> Config:
    """Points the config of a checkpoint to the data on this machine.

    Args:
        cfg: The config, changed in place.
        data_root: The dataset's folder. Defaults to the dataset's environment variable, such as CELEBA_ROOT, then to
            the checkpoint's own folder.
        cfg_options: Values by dotted key.
    """
    dataset = (cfg.get('test_dataloader') or cfg.get('train_dataloader') or {}).get('dataset', {})
    data_root = data_root or os.environ.get(_DATA_ROOTS.get(dataset.get('type', '').split('.')[-1], ''))
    _replace_data_root(cfg, data_root)
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    _share_labels(cfg)
    return cfg


def resolve_num_identities(cfg: Config) -> None:
    """Replaces ``num_identities='auto'`` of an identity head with the number of identities in the training set.

    Raises:
        ConfigError: The config has no training set, or its dataset has no identities.
    """
    heads = [node for node in config_dicts(cfg.get('model')) if node.get('num_identities') == 'auto']
    if not heads:
        return
    if not cfg.get('train_dataloader'):
        raise ConfigError("num_identities='auto' needs a train_dataloader: write the number of training identities")
    # Only the annotations are needed, not the images on a GPU.
    settings = {key: value for key, value in cfg.train_dataloader.dataset.items() if key != 'device'}
    found = build_dataset(cfg, settings).metainfo.get('num_identities')
    if not found:
        raise ConfigError(
            "num_identities='auto', but the training set has no identities (those of CelebA are in "
            'identity_CelebA.txt): name them in the dataset, or write model.head.id_head=None'
        )
    for head in heads:
        head['num_identities'] = found
