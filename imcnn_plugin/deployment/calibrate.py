"""Fits thresholds and temperature of a checkpoint on its validation split, and evaluates them on the test split."""

from pathlib import Path
from typing import Optional, Tuple, Union

import numpy as np
import torch

from .. import __version__
from ..apis.predict_split import open_fitting_loaders, open_trained, predict_for_fitting, predict_logits
from ..checkpoints.read_checkpoint import read_checkpoint
from ..evaluation.calibration import fit_temperature, fit_thresholds
from .calibration_table import _format_calibration


def calibrate(
    path: Union[str, Path],
    criterion: str = 'accuracy',
    data_root: Optional[str] = None,
    cfg_options: Optional[dict] = None,
    config: Optional[str] = None,
) -> Tuple[dict, str]:
    """Calibrates a checkpoint; an earlier calibration is replaced.

    Args:
        path: The checkpoint file.
        criterion: What the thresholds optimize: 'accuracy', 'balanced_accuracy' or 'f1'.
        data_root: The dataset's folder, see :func:`~imcnn_plugin.engine.localize_data`.
        cfg_options: Values of the config by dotted keys.
        config: A config file whose data is used instead of the checkpoint's.

    Returns:
        The content of the checkpoint with ``thresholds`` and ``temperature`` in its weights and ``calibration`` in its
        ``meta``; and a table of the test split before and after.

    Raises:
        ConfigError: There is no validation split, or it shares images with the test split.
        DataError: Checkpoint or data cannot be read, or no label of the validation split is known.
    """
    checkpoint = read_checkpoint(path)
    trained, cfg = open_trained(checkpoint, data_root, config, cfg_options)
    val, test = open_fitting_loaders(cfg)
    logits, targets, identity = predict_for_fitting(trained, val)
    head = trained.head
    before = head.thresholds.cpu().numpy(), head.temperature.cpu().numpy()
    temperature = fit_temperature(logits, targets)
    thresholds = fit_thresholds(logits / temperature, targets, criterion)
    after = thresholds.astype(np.float32), np.full(thresholds.shape, temperature, np.float32)

    [name] = [name for name, module in trained.model.named_modules() if module is head]
    for key, values in zip(('thresholds', 'temperature'), after):
        checkpoint.state_dict[f'{name}.{key}'] = torch.from_numpy(values)
    split = val.dataset.metainfo.get('split', 'val')
    checkpoint.meta['calibration'] = dict(
        criterion=criterion, split=split, num_images=len(logits), temperature=temperature, version=__version__
    )
    identities = len(np.unique(identity[identity >= 0]))
    table = _format_calibration(head.classes, criterion, before, after, *predict_logits(trained, test))
    return checkpoint.content, (
        f'{table}\nFitted on {len(logits)} images of {identities} identities ({split}): one temperature, '
        f'{temperature:.3f}.'
    )
