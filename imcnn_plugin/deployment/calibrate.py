"""Fits thresholds and temperature of a checkpoint on its validation part, and says what they do on the test part."""

from pathlib import Path
from typing import Optional, Tuple, Union

import numpy as np
import torch
from mmengine.device import get_device

from .. import __version__
from ..apis.predict_split import image_paths, open_loader, predict_part
from ..checkpoints.load_model import attribute_head, load_trained
from ..checkpoints.read_checkpoint import read_checkpoint
from ..engine.config import data_config
from ..errors import ConfigError
from ..evaluation.calibration import fit_temperature, fit_thresholds
from .calibration_table import format_calibration


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
