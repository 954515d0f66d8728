"""Combinations of CelebA's attributes that (nearly) exclude each other, in predictions and in labels."""

from dataclasses import dataclass
from itertools import combinations
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

__all__ = ['COMBINATIONS', 'HAIR_COLORS', 'LabelConflict', 'count_label_conflicts', 'find_combinations']

HAIR_COLORS = ('Black_Hair', 'Blond_Hair', 'Brown_Hair', 'Gray_Hair')

# An image has a combination if it has one of these sets of attributes; '-' before a name means its absence. In
# CelebA's lists, each is on fewer than 7 % of the images that have the rarer of its attributes, and most on fewer than
# 2 %. No_Beard with 5_o_Clock_Shadow is on 28 % of them and therefore not a conflict.
COMBINATIONS: Dict[str, List[Tuple[str, ...]]] = {
    'No_Beard with Goatee': [('No_Beard', 'Goatee')],
    'No_Beard with Mustache': [('No_Beard', 'Mustache')],
    'No_Beard with Sideburns': [('No_Beard', 'Sideburns')],
    'facial hair without Male': [
        ('-Male', attribute) for attribute in ('-No_Beard', 'Goatee', 'Mustache', 'Sideburns', '5_o_Clock_Shadow')
    ],
    'two hair colors': list(combinations(HAIR_COLORS, 2)),
    'Straight_Hair with Wavy_Hair': [('Straight_Hair', 'Wavy_Hair')],
    'Bald with Bangs': [('Bald', 'Bangs')],
    'Bald with Straight_Hair or Wavy_Hair': [('Bald', 'Straight_Hair'), ('Bald', 'Wavy_Hair')],
    'Bangs with Receding_Hairline': [('Bangs', 'Receding_Hairline')],
}


@dataclass(frozen=True)
class LabelConflict:
    """How often images have a combination.

    Args:
        name: Key of :data:`COMBINATIONS`, or 'any of these'.
        predicted: Number of images with it according to their predictions.
        labelled: Number of images with it according to their labels.
        images: Number of images that count, on which all of its attributes are labelled.
    """

    name: str
    predicted: int
    labelled: int
    images: int


def count_label_conflicts(predicted: np.ndarray, targets: np.ndarray, classes: Sequence[str]) -> List[LabelConflict]:
    """Counts the combinations whose attributes are all among the classes and, if there are any, their union.

    Args:
        predicted: Booleans ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        classes: The L attributes.
    """
    found = (find_combinations(positive, targets, classes) for positive in (predicted, targets == 1))
    masks = {}
    for (name, known, by_prediction), (_, _, by_label) in zip(*found):
        masks[name] = [*(np.any(list(sets.values()), 0) for sets in (by_prediction, by_label)), known]
    if masks:
        single = np.array(list(masks.values()))
        masks['any of these'] = single.any(0) & single[:, 2].all(0)
    return [LabelConflict(name, *np.sum(mask, 1).tolist()) for name, mask in masks.items()]


def find_combinations(
    positive: np.ndarray, targets: np.ndarray, classes: Sequence[str]
) -> Iterator[Tuple[str, np.ndarray, Dict[Tuple[str, ...], np.ndarray]]]:
    """Finds the images that have each combination whose attributes are all among the classes.

    Args:
        positive: Booleans ``(N, L)``, predictions or labels.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        classes: The L attributes.

    Yields:
        Key of :data:`COMBINATIONS`; mask ``(N, )`` of the images on which all of its attributes are labelled; and for
        each of its sets of attributes the mask ``(N, )`` of those images that have the set.
    """
    labelled = dict(zip(classes, (targets >= 0).T))
    has = dict(zip(classes, positive.T)) | {f'-{name}': ~column for name, column in zip(classes, positive.T)}
    for name, sets in COMBINATIONS.items():
        used = {literal.lstrip('-') for literals in sets for literal in literals}
        if used <= labelled.keys():
            known = np.all([labelled[attribute] for attribute in used], 0)
            yield name, known, {literals: known & np.all([has[x] for x in literals], 0) for literals in sets}
