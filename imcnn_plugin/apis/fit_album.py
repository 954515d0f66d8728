from pathlib import Path
from typing import List, Optional, Tuple, Union

import numpy as np
import torch
from mmengine.device import get_device
from mmpretrain.registry import DATASETS

from ..checkpoints.load_model import attribute_head, load_trained, weights_checksum
from ..engine.config import data_config
from ..errors import ConfigError, DataError
from ..evaluation.attribute_scores import LASTING, agreement_beyond_chance
from ..evaluation.identity_pooling import fit_pooling
from ..evaluation.paired_bootstrap import accuracy, paired_interval
from .album import Album, usable
from .predict_split import image_paths, open_loader, predict_part

# The gain is measured on images of persons with at least so many.
MIN_IMAGES = (2, 3, 5, 10)


def fit_album(checkpoint: Union[str, Path], data_root: Optional[str] = None) -> Tuple[Album, List[dict]]:
    """Fits an album to a checkpoint.

    Which attributes last is measured on the labels of the training part, the pooling is fitted to the logits of the
    validation part, and what is gained is measured on the test part.

    Args:
        checkpoint: A checkpoint, whose config names the data.
        data_root: The data set's folder; without it as for :func:`~imcnn_plugin.deployment.calibrate.calibrate`.

    Returns:
        The album, and the gains of :func:`album_gains`.

    Raises:
        DataError: No person of the validation part has two images, or no attribute lasts.
        ConfigError: The validation part is the test part.
    """
    model = load_trained(checkpoint, get_device())
    cfg = data_config(model._config, data_root)
    records = DATASETS.build(cfg.train_dataloader.dataset).data_list
    identity = np.array([record['identity'] for record in records])
    agreement, prevalence = agreement_beyond_chance(np.stack([record['gt_score'] for record in records]), identity)
    lasting = agreement >= LASTING
    if not lasting.any():
        raise DataError('no attribute lasts: the persons of the training part have one image each, or change')

    val, test = open_loader(cfg, 'val_dataloader'), open_loader(cfg, 'test_dataloader')
    if image_paths(val.dataset) & image_paths(test.dataset):
        raise ConfigError('the validation part has images of the test part, on which nothing must be fitted')
    logits, targets, identity = predict_part(model, val)
    if np.unique(identity[identity >= 0], return_counts=True)[1].max(initial=0) < 2:
        raise DataError('no person of the validation part has two images, so that there is nothing to fit to')
    theta = fit_pooling(logits, targets, identity, lasting, *usable(agreement, prevalence, lasting))
    head = attribute_head(model)
    album = Album(head.classes, agreement, prevalence, theta, weights_checksum(model))

    logits, targets, identity = predict_part(model, test)
    alone = head.probabilities(torch.from_numpy(logits).to(head.temperature)).cpu().numpy()
    thresholds = head.thresholds.cpu().numpy()
    together = album.probabilities(logits, alone, identity)
    return album, album_gains(alone >= thresholds, together >= thresholds, targets, identity)


def album_gains(alone: np.ndarray, together: np.ndarray, targets: np.ndarray, identity: np.ndarray) -> List[dict]:
    """What an album gains on images of persons with many.

    Args:
        alone: Predicted labels ``(N, L)`` of each image alone, booleans.
        together: Those of the album.
        targets: ``(N, L)``, 1, 0, or -1 for unknown.
        identity: ``(N, )``, -1 for unknown.

    Returns:
        For each of :data:`MIN_IMAGES` that a person has, a dict of ``min_images``, ``persons``, ``images``, the
        accuracies ``alone`` and ``together`` in percent, their ``difference``, and ``low`` and ``high``, the ends of
        its 95 % interval over persons.
    """
    rows = identity >= 0
    _, person, images = np.unique(identity[rows], return_inverse=True, return_counts=True)
    known, positive = targets >= 0, targets == 1
    gains = []
    for min_images in MIN_IMAGES:
        chosen = images >= min_images
        if not chosen.any():
            break
        before, after, labelled = (
            np.bincount(person, counted[rows].sum(1))[chosen]
            for counted in (known & (alone == positive), known & (together == positive), known)
        )
        difference, low, high = paired_interval(after[None], before[None], labelled)
        gains.append(
            dict(
                min_images=min_images,
                persons=int(chosen.sum()),
                images=int(images[chosen].sum()),
                alone=float(accuracy(before, labelled)),
                together=float(accuracy(after, labelled)),
                difference=float(difference),
                low=float(low),
                high=float(high),
            )
        )
    return gains
