from pathlib import Path
from typing import List, Optional, Tuple, Union

import numpy as np
from torch.utils.data import Dataset

from ..datasets import nested_datasets
from ..engine.data_model_check_hook import match_classes
from ..engine.evaluation_data import build_dataset, evaluation_loader
from ..errors import DataError
from ..evaluation.attribute_scores import nan_mean
from ..evaluation.identity_agreement import STABLE_AGREEMENT, agreement_beyond_chance, sum_by_identity
from ..evaluation.identity_pooling import fit_pooling
from ..evaluation.paired_bootstrap import paired_interval
from .album import Album, _poolable
from .predict_split import open_fitting_loaders, open_trained, predict_for_fitting, predict_logits

# The gain is measured on identities with at least this many images.
_MIN_IMAGES = (2, 3, 5, 10)


def fit_album(
    checkpoint: Union[str, Path],
    data_root: Optional[str] = None,
    config: Optional[str] = None,
    cfg_options: Optional[dict] = None,
) -> Tuple[Album, List[dict]]:
    """Fits an album to a checkpoint.

    The training labels decide which attributes are identity-stable, the pooling is fitted to the logits of the
    validation split, and the gain is measured on the test split.

    Args:
        checkpoint: A checkpoint, whose config names the data.
        data_root: The dataset's folder; without it as for :func:`~imcnn_plugin.engine.localize_data`.
        config: A config file whose data is used instead of the checkpoint's.
        cfg_options: Values of the config by dotted keys.

    Returns:
        The album, and for each minimum number of images that an identity has, a dict of ``min_images``,
        ``identities``, ``images``, the mean accuracies over attributes ``alone`` and ``together`` in percent, their
        ``difference``, and ``low`` and ``high``, the ends of its 95 % interval over identities.

    Raises:
        DataError: No identity of the validation split has two images, no label of it is known, or no attribute is
            identity-stable.
        ConfigError: There is no training split, validation and test split share images, or the model has other
            labels than the data.
    """
    trained, cfg = open_trained(checkpoint, data_root, config, cfg_options)
    train = build_dataset(cfg, evaluation_loader(cfg, 'train_dataloader')['dataset'])
    match_classes(trained.model, train)
    records = _records(train)
    identity = np.array([record['identity'] for record in records])
    agreement, prevalence = agreement_beyond_chance(np.stack([record['gt_score'] for record in records]), identity)
    stable = agreement >= STABLE_AGREEMENT
    if not stable.any():
        raise DataError(
            'no attribute is identity-stable: the identities of the training split are unknown, have one image '
            'each, or their labels vary'
        )

    val, test = open_fitting_loaders(cfg)
    logits, targets, identity = predict_for_fitting(trained, val)
    if np.unique(identity[identity >= 0], return_counts=True)[1].max(initial=0) < 2:
        raise DataError('no identity of the validation split has two images, so there is nothing to fit to')
    theta = fit_pooling(logits, targets, identity, stable, *_poolable(agreement, prevalence, stable))
    head = trained.head
    album = Album(head.classes, agreement, prevalence, theta, trained.checksum)

    logits, targets, identity = predict_logits(trained, test)
    alone = trained.probabilities(logits)
    thresholds = head.thresholds.cpu().numpy()
    together = album.probabilities(logits, alone, identity)
    return album, _gains(alone >= thresholds, together >= thresholds, targets, identity)


def _records(dataset: Dataset) -> List[dict]:
    """The records of a dataset, or of those that a wrapper holds, each once."""
    return [record for part in nested_datasets(dataset) for record in getattr(part, 'data_list', ())]


def _gains(alone: np.ndarray, together: np.ndarray, targets: np.ndarray, identity: np.ndarray) -> List[dict]:
    """What an album gains on the images of identities with many.

    Predicted labels are booleans ``(N, L)``; targets ``(N, L)`` and identities ``(N, )`` are -1 for unknown.
    """
    rows = identity >= 0
    images = np.unique(identity[rows], return_counts=True)[1]
    known, positive = targets >= 0, targets == 1
    fields = (known & (alone == positive), known & (together == positive), known)
    counts, _ = sum_by_identity(identity[rows], *(field[rows] for field in fields))
    gains = []
    for min_images in _MIN_IMAGES:
        chosen = images >= min_images
        if not chosen.any():
            break
        before, after, labelled = (count[chosen] for count in counts)
        difference, low, high = paired_interval(after[None], before[None], labelled)
        gains.append(
            dict(
                min_images=min_images,
                identities=int(chosen.sum()),
                images=int(images[chosen].sum()),
                alone=_mean_accuracy(before, labelled),
                together=_mean_accuracy(after, labelled),
                difference=difference,
                low=low,
                high=high,
            )
        )
    return gains


def _mean_accuracy(correct: np.ndarray, labelled: np.ndarray) -> float:
    """The mean over attributes, in percent, from counts ``(I, L)``."""
    with np.errstate(invalid='ignore'):
        return float(nan_mean(100 * correct.sum(0) / labelled.sum(0)))
