from typing import Callable

import numpy as np

from ..errors import DataError


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
