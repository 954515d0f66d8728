from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.config import Config

from ..checkpoints.load_model import TrainedModel
from ..datasets import check_unseen, identify_split, read_split
from ..engine.evaluation_data import build_image_split
from ..errors import ConfigError, DataError
from .photos import read_rgb
from .predict_split import predict_records

# Identities with fewer images are not chosen.
_MIN_IMAGES = 4


def predict_identity(
    networks: Sequence[Tuple[TrainedModel, Config]],
    attribute: str,
    identity: Optional[int] = None,
    max_images: int = 8,
    split: str = 'test',
) -> Tuple[List[np.ndarray], np.ndarray, np.ndarray, np.ndarray, int]:
    """Predicts one attribute in the images of one identity with several models.

    Args:
        networks: Models, and the configs of their data. The first config's dataset is used, with each config's own
            test pipeline.
        attribute: The attribute's name.
        identity: The identity; None chooses the one on which the first model is least consistent.
        max_images: Maximum number of images; the first ones of the identity are used.
        split: The split of the dataset.

    Returns:
        N images as stored, uint8 RGB ``(H, W, 3)``; labels ``(N, )``; probabilities ``(models, N)``; the models'
        decision thresholds ``(models, )``; the identity.

    Raises:
        ConfigError: The attribute does not exist, the images are in a pack, or a model was trained on identities of
            the split, by another split.
        DataError: The identity has no image, or there is none to choose.
    """
    dataset = build_image_split(networks[0][1], split)
    records, classes = dataset.data_list, list(dataset.metainfo['classes'])
    if attribute not in classes:
        raise ConfigError(f"there is no attribute '{attribute}', only {', '.join(classes)}")
    for trained, _ in networks:
        check_unseen(read_split(trained.meta), identify_split(dataset))
        if attribute not in trained.head.classes:
            raise ConfigError(f"a network has no attribute '{attribute}', only {', '.join(trained.head.classes)}")
    labels = records.gt_score[:, classes.index(attribute)]

    def predict(rows: np.ndarray, trained: TrainedModel, cfg: Config) -> Tuple[np.ndarray, float]:
        column = trained.head.classes.index(attribute)
        scores, thresholds = predict_records(trained, cfg, [records[row] for row in rows])
        return scores[:, column], thresholds[column]

    def predicted_labels(rows: np.ndarray) -> np.ndarray:
        scores, threshold = predict(rows, *networks[0])
        return scores >= threshold

    if identity is None:
        identity = _least_consistent_identity(labels, records.identity, predicted_labels, max_images)
    rows = np.flatnonzero(records.identity == identity)[:max_images]
    if not len(rows) or identity < 0:
        raise DataError(f"no image of identity {identity} is in split '{split}'")
    images = [read_rgb(records[row]['img_path']) for row in rows]
    probabilities, thresholds = zip(*(predict(rows, *network) for network in networks))
    return images, labels[rows], np.stack(probabilities), np.array(thresholds), identity


def _least_consistent_identity(
    labels: np.ndarray, identity: np.ndarray, predict: Callable[[np.ndarray], np.ndarray], max_images: int
) -> int:
    """The identity whose labels ``(N, )`` of one attribute agree and whose predictions agree least.

    Only the first images of each identity count. ``predict``, from rows ``(n, )`` to booleans ``(n, )``, is called
    once. Ties go to the identity with more images, then to the smaller number.
    """
    rows = {}
    for candidate in np.unique(identity[identity >= 0]):
        own = np.flatnonzero(identity == candidate)
        if len(own) >= _MIN_IMAGES and labels[own[0]] >= 0 and len(set(labels[own])) == 1:
            rows[candidate] = own[:max_images]
    if not rows:
        raise DataError(f'no identity has {_MIN_IMAGES} images with the same label: name one with --identity')
    predicted = predict(np.concatenate(list(rows.values())))
    splits = np.cumsum([len(own) for own in rows.values()])[:-1]
    spread = {
        number: (own.mean() * (1 - own.mean()), len(own)) for number, own in zip(rows, np.split(predicted, splits))
    }
    return int(max(spread, key=spread.get))
