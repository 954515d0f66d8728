from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.config import Config

from ..engine.config import open_pictures
from ..errors import ConfigError, DataError
from .photos import read_image
from .predict_split import predict_records


def predict_person(
    cfgs: Sequence[Config],
    checkpoints: Sequence[str],
    attribute: str,
    person: Optional[int] = None,
    max_images: int = 8,
    split: str = 'test',
) -> Tuple[List[np.ndarray], np.ndarray, np.ndarray, np.ndarray, int]:
    """Predicts one attribute in one person's images by several networks.

    Args:
        cfgs: A config for each network; the first one's data set counts, and each one's own test pipeline.
        checkpoints: The weights' files.
        attribute: The attribute's name.
        person: An identity; None: that of
            :func:`~imcnn_plugin.apis.person_predictions.find_torn_person` for the first network.
        max_images: The person's first images.
        split: The part of the data set.

    Returns:
        N images as they are on disk, uint8 RGB ``(H, W, 3)``; labels ``(N, )``; probabilities ``(networks, N)``; the
        networks' thresholds ``(networks, )``, from which on the answer is yes; the identity.

    Raises:
        ConfigError: There is no such attribute, or the images are in a pack.
        DataError: There is no image of the person, or no person to choose.
    """
    dataset = open_pictures(cfgs[0], split)
    records, classes = dataset.data_list, list(dataset.metainfo['classes'])
    if attribute not in classes:
        raise ConfigError(f"there is no attribute '{attribute}', only {', '.join(classes)}")
    column = classes.index(attribute)
    labels = records.gt_score[:, column]

    def predict(rows: np.ndarray, network: int = 0) -> Tuple[np.ndarray, float]:
        chosen = [records[row] for row in rows]
        scores, thresholds = predict_records(cfgs[network], checkpoints[network], chosen)
        return scores[:, column], thresholds[column]

    def says_yes(rows: np.ndarray) -> np.ndarray:
        scores, threshold = predict(rows)
        return scores >= threshold

    if person is None:
        person = find_torn_person(labels, records.identity, says_yes, max_images)
    rows = np.flatnonzero(records.identity == person)[:max_images]
    if not len(rows) or person < 0:
        raise DataError(f"no image of identity {person} is in split '{split}'")
    images = [read_image(records[row]['img_path']) for row in rows]
    probabilities, thresholds = zip(*(predict(rows, i) for i in range(len(cfgs))))
    return images, labels[rows], np.stack(probabilities), np.array(thresholds), person


def find_torn_person(
    labels: np.ndarray,
    identity: np.ndarray,
    predict: Callable[[np.ndarray], np.ndarray],
    max_images: int = 8,
    min_images: int = 4,
) -> int:
    """The person whose labels agree and about whom a network disagrees with itself most.

    Args:
        labels: Of one attribute, ``(N, )``, 1, 0, or -1 for unknown.
        identity: ``(N, )``, -1 for unknown.
        predict: From rows ``(n, )`` to predicted labels ``(n, )``, booleans; asked once.
        max_images: The first images of a person, which are those that count.
        min_images: Persons with fewer images do not come into question.

    Returns:
        An identity. Of two that the network is equally torn about, the one with more images, then the smaller one.

    Raises:
        DataError: There is no person with so many images and one label.
    """
    rows = {}
    for person in np.unique(identity[identity >= 0]):
        own = np.flatnonzero(identity == person)
        if len(own) >= min_images and labels[own[0]] >= 0 and len(set(labels[own])) == 1:
            rows[person] = own[:max_images]
    if not rows:
        raise DataError(f'no identity has {min_images} images that agree in the label: name one')
    says = predict(np.concatenate(list(rows.values())))
    splits = np.cumsum([len(own) for own in rows.values()])[:-1]
    torn = {person: (own.mean() * (1 - own.mean()), len(own)) for person, own in zip(rows, np.split(says, splits))}
    return int(max(torn, key=torn.get))
