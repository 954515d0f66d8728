"""Protocols, which divide a dataset of faces into splits that share no identity.

Each protocol is a function that returns ``{split: mask}`` with boolean masks ``(N, )``.
"""

from itertools import combinations
from typing import Dict

import numpy as np

from ..errors import ConfigError, DataError

Splits = Dict[str, np.ndarray]
# Earlier names, still used by old configs and checkpoints.
OLD_PROTOCOLS = dict(lfwa='halves')


def _official_splits(partition: np.ndarray) -> Splits:
    """The dataset's own splits: ``partition`` ``(N, )`` is 0 train, 1 val, 2 test; trainval is both train and val."""
    return dict(train=partition == 0, val=partition == 1, test=partition == 2, trainval=partition < 2)


def _paper_splits(identity: np.ndarray, num_train_identities: int = 8000, seed: int = 0) -> Splits:
    """The paper's splits (section 4.1): 8,000 identities for training and the rest for testing.

    The paper does not list the identities, so they are drawn at random.
    """
    identities = _shuffle_identities(identity, seed)
    if not 1 <= num_train_identities < len(identities):
        raise ConfigError(
            f"protocol 'paper' cannot train on {num_train_identities} of {len(identities)} identities "
            'and test on the rest: set num_train_identities from 1 to one less than that'
        )
    train = np.isin(identity, identities[:num_train_identities])
    return dict(train=train, test=~train)


def _kfold_splits(identity: np.ndarray, fold: int, num_folds: int = 5, seed: int = 0) -> Splits:
    """Cross-validation: identities are randomly assigned to folds; ``fold``, from 0, is the test split."""
    identities = _shuffle_identities(identity, seed)
    if not 0 <= fold < num_folds <= len(identities):
        raise ConfigError(
            f"protocol 'kfold' needs 0 <= fold < num_folds <= number of identities, found fold={fold}, "
            f'num_folds={num_folds}, {len(identities)} identities'
        )
    test = np.isin(identity, identities[fold::num_folds])
    return dict(train=~test, test=test)


def _shuffle_identities(identity: np.ndarray, seed: int) -> np.ndarray:
    unknown = int((identity < 0).sum())
    if unknown:
        raise DataError(
            f"{unknown} images have no known identity, which only protocol 'official' allows: set it, or name them"
        )
    return np.random.default_rng(seed).permutation(np.unique(identity))


def _check_disjoint(splits: Splits, identity: np.ndarray, names: np.ndarray, source: str) -> None:
    """Raises DataError if an identity is in two splits, and names one image from each.

    Unknown identities (-1) are ignored, and so is the split 'trainval', which overlaps on purpose. ``source`` is the
    file that defines the splits, for the message.
    """
    known = identity >= 0
    for one, other in combinations([split for split in splits if split != 'trainval'], 2):
        shared = np.intersect1d(identity[splits[one] & known], identity[splits[other] & known])
        if len(shared):
            examples = [names[splits[split] & (identity == shared[0])][0] for split in (one, other)]
            first, second = (name.decode(errors='replace') for name in examples)
            raise DataError(
                f'{source}: identity {shared[0]} is in both {one} ({first}) and {other} ({second}), and so are '
                f'{len(shared) - 1} more: the model would be tested on identities it was trained on; move all images '
                'of an identity to one split'
            )
