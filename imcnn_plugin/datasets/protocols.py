"""How a set of faces is split into parts that share no identity.

Each protocol is a function that gives ``{split: mask}``, a boolean ``(N, )`` for each part.
"""

from itertools import combinations
from typing import Dict

import numpy as np

from ..errors import ConfigError, DataError

Parts = Dict[str, np.ndarray]


def official_parts(partition: np.ndarray) -> Parts:
    """The data set's own parts: 0, 1, 2 in ``partition`` ``(N, )`` are train, val, test; trainval is the first two."""
    return dict(train=partition == 0, val=partition == 1, test=partition == 2, trainval=partition < 2)


def paper_parts(identity: np.ndarray, num_train_identities: int = 8000, seed: int = 0) -> Parts:
    """The paper's split (section 4.1): the images of 8,000 identities to train on, those of the rest to test on.

    Which identities is not published, so they are drawn at random.

    Raises:
        ConfigError: ``num_train_identities`` is below 1, or there are not more identities than that.
        DataError: An image's identity is unknown.
    """
    identities = shuffled_identities(identity, seed)
    if not 1 <= num_train_identities < len(identities):
        raise ConfigError(
            f"protocol 'paper' cannot train on {num_train_identities} of {len(identities)} identities "
            'and test on the rest: set num_train_identities from 1 to one less than that'
        )
    train = np.isin(identity, identities[:num_train_identities])
    return dict(train=train, test=~train)


def kfold_parts(identity: np.ndarray, fold: int, num_folds: int = 5, seed: int = 0) -> Parts:
    """Cross-validation: identities are dealt to folds at random, ``fold`` (from 0) is tested, the rest trained on.

    Raises:
        ConfigError: There is no such fold, or fewer identities than folds.
        DataError: An image's identity is unknown.
    """
    identities = shuffled_identities(identity, seed)
    if not 0 <= fold < num_folds <= len(identities):
        raise ConfigError(
            f"protocol 'kfold' needs 0 <= fold < num_folds <= number of identities, found fold={fold}, "
            f'num_folds={num_folds}, {len(identities)} identities'
        )
    test = np.isin(identity, identities[fold::num_folds])
    return dict(train=~test, test=test)


def shuffled_identities(identity: np.ndarray, seed: int) -> np.ndarray:
    unknown = int((identity < 0).sum())
    if unknown:
        raise DataError(f"{unknown} images have no known identity, so only protocol 'official' can split this set")
    return np.random.default_rng(seed).permutation(np.unique(identity))


def check_disjoint(parts: Parts, identity: np.ndarray, names: np.ndarray, source: str) -> None:
    """Refuses parts that share an identity; unknown identities (-1) are passed over.

    Args:
        parts: Masks ``(N, )`` by split; 'trainval' overlaps by intent and is passed over.
        identity: ``(N, )``.
        names: File names ``(N, )``, for the message.
        source: The file that sets the parts, for the message.

    Raises:
        DataError: Names the identity, the parts and an image in each.
    """
    known = identity >= 0
    for one, other in combinations([split for split in parts if split != 'trainval'], 2):
        shared = np.intersect1d(identity[parts[one] & known], identity[parts[other] & known])
        if len(shared):
            of_one = [names[parts[split] & (identity == shared[0])][0] for split in (one, other)]
            examples = [name.decode(errors='replace') for name in of_one]
            raise DataError(
                f'{source}: identity {shared[0]} is in both {one} ({examples[0]}) and {other} ({examples[1]}), and so '
                f'are {len(shared) - 1} more: a model would be tested on people it was trained on; move all images '
                'of an identity to one part'
            )
