"""Predictions of a trained model on the images of a dataset."""

from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import TRANSFORMS
from torch.utils.data import DataLoader

from ..checkpoints.load_model import TrainedModel, load_model
from ..checkpoints.read_checkpoint import Checkpoint
from ..datasets import check_unseen, identify_split, read_split
from ..engine.config import load_config, localize_data
from ..engine.data_model_check_hook import match_classes
from ..engine.evaluation_data import build_image_split, evaluation_loader, evaluation_pipeline
from ..engine.pin_memory import pins_memory
from ..errors import ConfigError, DataError, translate_errors
from ..models.batch_fields import batch_identity, batch_labels
from ..progress import track
from ..signals import let_workers_follow
from .photos import read_rgb

_LABELS = ('gt_score', 'gt_label')


def open_trained(
    checkpoint: Union[str, Path, Checkpoint],
    data_root: Optional[str] = None,
    config: Optional[str] = None,
    cfg_options: Optional[dict] = None,
) -> Tuple[TrainedModel, Config]:
    """Loads a trained model, on a GPU if available, and the config of its data.

    Args:
        checkpoint: The file, or its content.
        data_root: The dataset's folder, see :func:`~imcnn_plugin.engine.localize_data`.
        config: A config file whose data is used instead of the checkpoint's.
        cfg_options: Values by dotted keys.

    Raises:
        DataError: The checkpoint cannot be read.
        ConfigError: The config cannot be read, or a module that the checkpoint's imports is missing.
    """
    trained = load_model(checkpoint, get_device())
    if config:
        return trained, load_config(config, data_root, cfg_options=cfg_options)
    return trained, localize_data(trained.cfg, data_root, cfg_options)


def open_loader(cfg: Config, name: str) -> DataLoader:
    """A data loader of a config, for one pass on this machine.

    Raises:
        ConfigError: The config has none, or worker processes for images on a GPU.
    """
    settings = dict(evaluation_loader(cfg, name), persistent_workers=False)
    # It refers to the machine on which the model was trained.
    settings.pop('pin_memory', None)
    settings['pin_memory'] = pins_memory(settings, name)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        return let_workers_follow(Runner.build_dataloader(settings, seed=0))


def open_fitting_loaders(cfg: Config) -> Tuple[DataLoader, DataLoader]:
    """The loaders of the validation split, for fitting, and of the test split, for evaluation.

    Raises:
        ConfigError: A split is missing, or the two share images.
    """
    val, test = (open_loader(cfg, name) for name in ('val_dataloader', 'test_dataloader'))
    paths = [
        {loader.dataset.get_data_info(i)['img_path'] for i in range(len(loader.dataset))} for loader in (val, test)
    ]
    if shared := len(paths[0] & paths[1]):
        raise ConfigError(
            f'{shared} of the {len(val.dataset)} images to fit on are also in the test split, since the config has no '
            'validation split of its own: set another with --cfg-options val_dataloader.dataset.split=...'
        )
    return val, test


def predict_for_fitting(trained: TrainedModel, loader: DataLoader) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Like :func:`predict_logits`, for a split to fit on.

    Raises:
        DataError: An image cannot be read, or none of the labels is known.
    """
    logits, targets, identity = predict_logits(trained, loader)
    if not (targets >= 0).any():
        raise DataError('no label of the validation split is known, so there is nothing to fit to')
    return logits, targets, identity


@torch.inference_mode()
def predict_logits(trained: TrainedModel, loader: DataLoader) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits ``(N, L)``, labels ``(N, L)`` and identities ``(N, )``, -1 for unknown, of all images of a loader.

    Raises:
        DataError: An image cannot be read.
        ConfigError: The model was trained on their identities, by another split, or has other labels.
    """
    check_unseen(read_split(trained.meta), identify_split(loader.dataset))
    match_classes(trained.model, loader.dataset)
    model, fields = trained.model, []
    with translate_errors():
        for batch in track(loader, f'Predicting {len(loader.dataset)} images'):
            prepared = model.data_preprocessor(batch)
            logits = model(prepared['inputs'], mode='tensor').float().cpu()
            samples, (number, labels) = prepared['data_samples'], logits.shape
            fields.append((logits, batch_labels(samples, labels, 'cpu'), batch_identity(samples, number, 'cpu')))
    return tuple(torch.cat(field).numpy() for field in zip(*fields))


def choose_record(cfg: Config, image: Optional[str], index: int) -> dict:
    """The record of an image file or, without one, of the image with this index in the test split.

    Raises:
        DataError: The file or the index does not exist.
        ConfigError: The images are in a pack.
    """
    if image:
        if not Path(image).is_file():
            raise DataError(f'{image} not found: give the file of an image')
        return dict(img_path=image)
    dataset = build_image_split(cfg)
    if not 0 <= index < len(dataset):
        raise DataError(f'there is no image {index}: the test split has {len(dataset)}, starting at 0')
    return dataset.get_data_info(index)


def prepare_batch(cfg: Config, records: Iterable[dict]) -> dict:
    """Applies the config's test pipeline to records with at least ``img_path``; a batch for ``model.test_step``."""
    pipeline = Compose([TRANSFORMS.build(transform) for transform in evaluation_pipeline(cfg)])
    return pseudo_collate([pipeline(dict(record)) for record in records])


def predict_samples(
    trained: TrainedModel, cfg: Config, num: int
) -> Tuple[List[np.ndarray], np.ndarray, np.ndarray, np.ndarray, Sequence[str]]:
    """Predicts some images of a config's test split.

    Args:
        trained: The model.
        cfg: A config with a ``test_dataloader``.
        num: Number of images, evenly spaced over the split.

    Returns:
        The images as stored, uint8 RGB ``(H, W, 3)``; probabilities ``(num, L)``; the decision thresholds ``(L, )``;
        targets ``(num, L)``; the L names of the labels.

    Raises:
        ConfigError: The images are in a pack, or the model was trained on their identities, by another split, or has
            other labels.
    """
    dataset = build_image_split(cfg)
    check_unseen(read_split(trained.meta), identify_split(dataset))
    match_classes(trained.model, dataset)
    rows = np.linspace(0, len(dataset) - 1, min(num, len(dataset))).astype(int)
    records = [dataset.get_data_info(int(row)) for row in rows]
    images = [read_rgb(record['img_path']) for record in records]
    targets = np.stack([record['gt_score'] for record in records])
    return images, *predict_records(trained, cfg, records), targets, dataset.metainfo['classes']


def predict_records(
    trained: TrainedModel, cfg: Config, records: Sequence[dict], batch_size: int = 128
) -> Tuple[np.ndarray, np.ndarray]:
    """Probabilities ``(N, L)`` of N records, and the decision thresholds ``(L, )``."""
    scores = []
    # Labels are not needed, and may be others than the model's.
    records = [{key: value for key, value in record.items() if key not in _LABELS} for record in records]
    with torch.inference_mode():
        for start in range(0, len(records), batch_size):
            samples = trained.model.test_step(prepare_batch(cfg, records[start : start + batch_size]))
            scores.append(torch.stack([sample.pred_score for sample in samples]).cpu().numpy())
    return np.concatenate(scores), trained.head.thresholds.cpu().numpy()
