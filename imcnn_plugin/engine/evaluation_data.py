"""Data settings for evaluation, even from a config that has only training data."""

from typing import Any, List, Optional

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS

from ..checkpoints.config_text import config_dicts
from ..datasets import PackedDataset, nested_datasets, open_pack
from ..errors import ConfigError

# The beginnings of the names of augmentations that keep the image size.
_AUGMENTATIONS = ('Rand', 'AutoAugment', 'ColorJitter', 'Lighting', 'Albumentations', 'GaussianBlur')


def evaluation_loader(cfg: Config, name: str) -> dict:
    """The settings of ``val_dataloader`` or ``test_dataloader`` of a config.

    If the config has none, as in runs with ``--no-validate`` or of older versions, they are derived from the training
    data, with the other split and without augmentation.

    Raises:
        ConfigError: There is no such loader, and the training data has no splits.
    """
    if cfg.get(name):
        return cfg[name]
    loader = cfg.get('train_dataloader') or {}
    dataset = dict(loader.get('dataset') or {})
    if 'split' not in dataset:
        raise ConfigError(f'the config has no {name}')
    dataset['split'] = name.removesuffix('_dataloader')
    if dataset.get('pipeline'):
        dataset['pipeline'] = _without_augmentation(dataset['pipeline'])
    kept = {key: loader[key] for key in ('batch_size', 'num_workers', 'collate_fn') if key in loader}
    return dict(kept, dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=False))


def build_dataset(cfg: Config, settings: dict) -> BaseDataset:
    """Builds a dataset of a config, or a wrapper, which finds the datasets in it by the config's scope."""
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return DATASETS.build(settings)


def build_split(cfg: Config, split: Optional[str] = None) -> BaseDataset:
    """Builds the dataset of a config's test split, or of another split of the same data and protocol.

    Raises:
        ConfigError: Another split of a wrapper such as ConcatDataset, which has none.
    """
    settings = evaluation_loader(cfg, 'test_dataloader')['dataset']
    if split and settings.keys() & {'dataset', 'datasets'}:
        kind = getattr(settings['type'], '__name__', settings['type'])
        raise ConfigError(
            f"{cfg.filename or 'the config'}: test_dataloader.dataset is a {kind}, which has no split '{split}': "
            'set it to one of the datasets in it'
        )
    return build_dataset(cfg, dict(settings, **(dict(split=split) if split else {})))


def build_image_split(cfg: Config, split: Optional[str] = None) -> BaseDataset:
    """Like :func:`build_split`, for a dataset whose images are files.

    Raises:
        ConfigError: The images are in a pack.
    """
    dataset = build_split(cfg, split)
    if any(isinstance(part, PackedDataset) for part in nested_datasets(dataset)):
        raise ConfigError(
            f'{cfg.filename or "the config"} has its images in a pack: give a config that reads files, with the same '
            'model, such as imcnn_celeba.py instead of imcnn_celeba_fast.py'
        )
    return dataset


def evaluation_pipeline(cfg: Config, meta: Optional[dict] = None) -> List[dict]:
    """The transforms that prepare an image file for a prediction.

    They are those of the test data, else of the validation data, else of the training data without augmentation. If
    all data is packed, there is no pipeline; then they are the transforms that the pack was made with.

    Args:
        cfg: The config of a checkpoint.
        meta: The checkpoint's ``meta``, which records the image size of a pack.

    Raises:
        ConfigError: The config has no pipeline.
        DataError: Only the pack records the image size, and it cannot be read.
    """
    for name in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
        if steps := _find(cfg.get(name), 'pipeline'):
            return _without_augmentation(steps) if name == 'train_dataloader' else steps
    packed = (meta or {}).get('dataset_meta') or {}
    size, cut = packed.get('image_size'), packed.get('image_cut')
    dataset = (cfg.get('test_dataloader') or cfg.get('train_dataloader') or {}).get('dataset') or {}
    if not size and str(dataset.get('type')).endswith(('PackedFaces', 'PackedLFWA')):
        header = open_pack(dataset['data_root']).header
        size, cut = header['size'], header['cut']
    if not size:
        raise ConfigError('the config has no dataset with a pipeline, which resizes the images')
    height, width = size
    return [
        dict(type='LoadFaceFromFile'),
        *([dict(type='CenterCrop', crop_size=tuple(cut))] if cut else []),
        dict(type='Resize', scale=(width, height), interpolation='area'),
        dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
    ]


def _find(node: Any, key: str) -> Any:
    """The first non-empty value of a key in a part of a config, or None."""
    return next((found[key] for found in config_dicts(node) if found.get(key)), None)


def _without_augmentation(steps: List[dict]) -> List[dict]:
    """A training pipeline without randomness: random crops become the center crop or the whole image."""
    kept = []
    for step in steps:
        kind = step['type'].split('.')[-1]
        if kind == 'RandomCrop':
            step = dict(type='CenterCrop', crop_size=step['crop_size'])
        elif kind == 'RandomResizedCrop':
            # RandomResizedCrop takes height and width, Resize takes width and height.
            scale = step['scale']
            options = {key: step[key] for key in ('interpolation', 'backend') if key in step}
            step = dict(type='Resize', scale=(scale, scale) if isinstance(scale, int) else scale[::-1], **options)
        elif kind.startswith(_AUGMENTATIONS):
            continue
        kept.append(step)
    return kept
