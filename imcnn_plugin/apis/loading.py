"""From a command line to models, records and arrays: what the tools in ``tools/analysis`` share."""

from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import load_checkpoint
from mmpretrain import get_model
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import DATASETS, TRANSFORMS

from ..datasets import PackedFaces
from ..errors import ConfigError, DataError
from .photos import read_photo
from .runner import drop_identity_head, unfit_weights

# Transforms that read files.
READERS = ('LoadImageFromFile', 'LoadFaceFromFile')


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


def after_reading(steps: Sequence[dict]) -> Compose:
    """What a reading pipeline does with an image once it is read; for photos that are read otherwise.

    Args:
        steps: The pipeline of a config.
    """
    return Compose([TRANSFORMS.build(step) for step in steps if step['type'].split('.')[-1] not in READERS])


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


def read_image(path: str) -> np.ndarray:
    """An image as a viewer shows it, uint8 RGB ``(H, W, 3)``.

    Raises:
        DataError: It cannot be read.
    """
    return np.ascontiguousarray(read_photo(path)[..., ::-1])
