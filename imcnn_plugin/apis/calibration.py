"""Fits thresholds and temperature of a checkpoint on its validation part, and says what they do on the test part."""

import os
from pathlib import Path
from typing import Optional, Set, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.models import ImageClassifier
from mmpretrain.utils import track
from torch.utils.data import DataLoader

from .. import __version__
from ..errors import ConfigError
from ..evaluation.calibration import fit_temperature, fit_thresholds
from ..evaluation.calibration_table import format_calibration
from ..models.features import batch_field
from .checkpoint_file import read_checkpoint
from .runner import plain_errors, replace_data_root
from .trained_model import attribute_head, load_trained

# Where a config has a data set's folder from.
ROOTS = dict(CelebAIdentity='CELEBA_ROOT', PackedFaces='CELEBA_PACK', LFWA='LFWA_ROOT')


def calibrate(
    path: Union[str, Path],
    criterion: str = 'accuracy',
    data_root: Optional[str] = None,
    cfg_options: Optional[dict] = None,
) -> Tuple[dict, str]:
    """Calibrates a checkpoint, anew if it is calibrated.

    Args:
        path: The checkpoint's file; config and weights are taken from it.
        criterion: What the thresholds are to be best for: 'accuracy', 'balanced_accuracy' or 'f1'.
        data_root: The data set's folder. Without it CELEBA_ROOT, or what the data set has in its place, then the
            checkpoint's own.
        cfg_options: Values of the config by dotted keys.

    Returns:
        The checkpoint with ``thresholds`` and ``temperature`` in its weights and ``calibration`` in its ``meta``; and
        a table of the test part before and after.

    Raises:
        ConfigError: There is no validation part, or it is the test part.
        DataError: Checkpoint or data cannot be read.
    """
    checkpoint = read_checkpoint(path)
    model = load_trained(path, get_device())
    cfg = data_config(model._config, data_root, cfg_options)
    val, test = (open_loader(cfg, name) for name in ('val_dataloader', 'test_dataloader'))
    if shared := len(image_paths(val.dataset) & image_paths(test.dataset)):
        raise ConfigError(
            f'{shared} of the {len(val.dataset)} images to fit on are in the test part as well, as the config has no '
            'validation part of its own: set another with --cfg-options val_dataloader.dataset.split=...'
        )
    logits, targets, identity = predict_part(model, val)
    head = attribute_head(model)
    before = head.thresholds.cpu().numpy(), head.temperature.cpu().numpy()
    temperature = fit_temperature(logits, targets)
    thresholds = fit_thresholds(logits / temperature, targets, criterion)
    after = thresholds.astype(np.float32), np.full(thresholds.shape, temperature, np.float32)

    [name] = [name for name, module in model.named_modules() if module is head]
    for key, values in zip(('thresholds', 'temperature'), after):
        checkpoint['state_dict'][f'{name}.{key}'] = torch.from_numpy(values)
    split = val.dataset.metainfo.get('split', 'val')
    checkpoint['meta']['calibration'] = dict(
        criterion=criterion, split=split, num_images=len(logits), temperature=temperature, version=__version__
    )
    people = len(np.unique(identity[identity >= 0]))
    fitted = f'Fitted on {len(logits)} images of {people} people ({split}): one temperature, {temperature:.3f}.'
    table = format_calibration(head.classes, criterion, before, after, *predict_part(model, test))
    return checkpoint, f'{table}\n{fitted}'


def data_config(cfg: Config, data_root: Optional[str], cfg_options: Optional[dict] = None) -> Config:
    """The config with the data set's folder of this machine, see :func:`calibrate`."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset', {})
    data_root = data_root or os.environ.get(ROOTS.get(dataset.get('type', '').split('.')[-1], ''))
    if data_root:
        replace_data_root(cfg._cfg_dict, str(Path(data_root).expanduser()))
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    return cfg


def open_loader(cfg: Config, name: str) -> DataLoader:
    """A data loader of a config, for one pass on this machine.

    Raises:
        ConfigError: The config has none.
    """
    if not cfg.get(name):
        raise ConfigError(f'the config has no {name}: a calibration needs a validation and a test part')
    settings = dict(cfg[name], pin_memory=torch.cuda.is_available(), persistent_workers=False)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return Runner.build_dataloader(settings, seed=0)


def image_paths(dataset: BaseDataset) -> Set[str]:
    return {dataset.get_data_info(i)['img_path'] for i in range(len(dataset))}


@torch.inference_mode()
def predict_part(model: ImageClassifier, loader: DataLoader) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits ``(N, L)``, labels ``(N, L)`` and identities ``(N, )``, -1 for unknown, of all images of a loader.

    Raises:
        DataError: An image cannot be read.
    """
    fields = []
    with plain_errors(model._config):
        for batch in track(loader, f'Predicting {len(loader.dataset)} images', total=len(loader)):
            prepared = model.data_preprocessor(batch)
            logits = model(prepared['inputs'], mode='tensor').float().cpu()
            samples = prepared['data_samples']
            known = 'identity' in (samples[0] if isinstance(samples, list) else samples)
            identity = batch_field(samples, 'identity', 'cpu') if known else torch.full((len(logits),), -1)
            fields.append((logits, batch_field(samples, 'gt_score', 'cpu'), identity))
    return tuple(torch.cat(field).numpy() for field in zip(*fields))
