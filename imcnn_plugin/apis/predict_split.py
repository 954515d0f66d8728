from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Set, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, load_checkpoint
from mmpretrain import get_model
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import TRANSFORMS
from mmpretrain.utils import track
from torch.utils.data import DataLoader

from ..checkpoints.load_model import drop_identity_head
from ..engine.config import open_pictures
from ..errors import ConfigError, DataError, plain_errors, unfit_weights
from ..models.features import batch_field
from .photos import read_image


def split_names(arguments: Sequence[str], form: str) -> List[Tuple[str, ...]]:
    """Splits arguments at the first '=', and what follows at the first ',' where the form has one.

    Args:
        arguments: What a user wrote.
        form: What is expected, such as 'NAME=CONFIG,CHECKPOINT'.

    Raises:
        ConfigError: An argument has another form.
    """
    found = []
    for argument in arguments:
        name, _, value = argument.partition('=')
        parts = (name, *value.split(',', 1)) if ',' in form else (name, value)
        if not all(parts) or len(parts) != form.count(',') + 2:
            raise ConfigError(f"expected {form}, found '{argument}'")
        found.append(parts)
    return found


def load_model(cfg: Config, checkpoint: str) -> ImageClassifier:
    """A model for predictions, on a GPU where there is one.

    Raises:
        DataError: There is no such file, it is no checkpoint, or its weights are not those of the model.
    """
    drop_identity_head(cfg)
    model = get_model(cfg)
    try:
        load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    except FileNotFoundError:
        raise DataError(f'{checkpoint} not found: give the file of a checkpoint') from None
    except RuntimeError as error:
        raise unfit_weights(checkpoint, error) from error
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


def choose_record(cfg: Config, image: Optional[str], index: int) -> dict:
    """The record of an image file or, without one, of the image of this number in the test part.

    Raises:
        DataError: There is no such file or number.
        ConfigError: The test part's images are in a pack.
    """
    if image:
        if not Path(image).is_file():
            raise DataError(f'{image} not found: give the file of an image')
        return dict(img_path=image)
    records = open_pictures(cfg).data_list
    if not 0 <= index < len(records):
        raise DataError(f'there is no image {index}: the test part has {len(records)}, from 0')
    return records[index]


def prepare_batch(cfg: Config, records: Iterable[dict]) -> dict:
    """Records, of which ``img_path`` is enough, after the config's own test pipeline, for ``model.test_step``."""
    pipeline = Compose([TRANSFORMS.build(transform) for transform in cfg.test_dataloader.dataset.pipeline])
    prepared = [pipeline(dict(record)) for record in records]
    return {key: [record[key] for record in prepared] for key in ('inputs', 'data_samples')}


def predict_samples(
    cfg: Config, checkpoint: str, num: int
) -> Tuple[List[np.ndarray], np.ndarray, np.ndarray, np.ndarray, Sequence[str]]:
    """Predicts some images of a config's test part.

    Args:
        cfg: A config with a ``test_dataloader``.
        checkpoint: The weights' file.
        num: Number of images, taken evenly over the part.

    Returns:
        The images as they are on disk, uint8 RGB ``(H, W, 3)``; probabilities ``(num, L)`` and the thresholds
        ``(L, )`` from which on labels are predicted; targets ``(num, L)``; the L names of the labels.

    Raises:
        DataError: There is no such checkpoint.
        ConfigError: The test part's images are in a pack.
    """
    dataset = open_pictures(cfg)
    rows = np.linspace(0, len(dataset) - 1, min(num, len(dataset))).astype(int)
    records = [dataset.data_list[row] for row in rows]
    images = [read_image(record['img_path']) for record in records]
    targets = np.stack([record['gt_score'] for record in records])
    return images, *predict_records(cfg, checkpoint, records), targets, dataset.metainfo['classes']


def predict_records(
    cfg: Config, checkpoint: str, records: Sequence[dict], batch_size: int = 128
) -> Tuple[np.ndarray, np.ndarray]:
    """Probabilities ``(N, L)`` of N records, and the thresholds ``(L, )`` from which on labels are predicted."""
    model = load_model(cfg, checkpoint)
    scores = []
    with torch.inference_mode():
        for start in range(0, len(records), batch_size):
            samples = model.test_step(prepare_batch(cfg, records[start : start + batch_size]))
            scores += [sample.pred_score.cpu().numpy() for sample in samples]
    return np.stack(scores), samples[0].thresholds.cpu().numpy()


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
