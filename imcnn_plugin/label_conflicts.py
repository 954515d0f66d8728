"""Combinations of CelebA's attributes that exclude each other, or nearly so, in predictions and in labels."""

from dataclasses import dataclass
from itertools import combinations
from typing import Dict, List, Sequence, Tuple

import numpy as np

HAIR_COLOURS = ('Black_Hair', 'Blond_Hair', 'Brown_Hair', 'Gray_Hair')

# An image has a combination if it has one of these sets of attributes; '-' before a name is its absence. In CelebA's
# lists, each is on fewer than 7 % of the images that have the rarer of its attributes, and most on fewer than 2 %.
# No_Beard with 5_o_Clock_Shadow is on 28 % of them and therefore none.
COMBINATIONS: Dict[str, List[Tuple[str, ...]]] = {
    'No_Beard with Goatee': [('No_Beard', 'Goatee')],
    'No_Beard with Mustache': [('No_Beard', 'Mustache')],
    'No_Beard with Sideburns': [('No_Beard', 'Sideburns')],
    'facial hair without Male': [
        ('-Male', attribute) for attribute in ('-No_Beard', 'Goatee', 'Mustache', 'Sideburns', '5_o_Clock_Shadow')
    ],
    'two hair colours': list(combinations(HAIR_COLOURS, 2)),
    'Straight_Hair with Wavy_Hair': [('Straight_Hair', 'Wavy_Hair')],
    'Bald with Bangs': [('Bald', 'Bangs')],
    'Bald with Straight_Hair or Wavy_Hair': [('Bald', 'Straight_Hair'), ('Bald', 'Wavy_Hair')],
    'Bangs with Receding_Hairline': [('Bangs', 'Receding_Hairline')],
}


@dataclass(frozen=True)
class Contradiction:
    """How often images have a combination.

    Args:
        name: Key of :data:`COMBINATIONS`, or 'any of these'.
        predicted: Number of images with it by their predictions.
        labelled: Number of images with it by their labels.
        images: Number of images whose labels it is made of are all known; the others do not count.
    """

    name: str
    predicted: int
    labelled: int
    images: int


def count_contradictions(predicted: np.ndarray, targets: np.ndarray, classes: Sequence[str]) -> List[Contradiction]:
    """Counts the combinations whose attributes are all there, and then, if there are any, their union.

    Args:
        predicted: Booleans ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        classes: The L names.
    """
    place = {name: i for i, name in enumerate(classes)}
    counted, found = [], []
    for name, sets in COMBINATIONS.items():
        attributes = {literal.lstrip('-') for literals in sets for literal in literals}
        if attributes <= place.keys():
            known = (targets[:, [place[attribute] for attribute in attributes]] >= 0).all(1)
            found.append((known, *(known & has_any(on, sets, place) for on in (predicted, targets == 1))))
            counted.append(count(name, *found[-1]))
    if found:
        known, by_prediction, by_label = np.array(found).swapaxes(0, 1)
        complete = known.all(0)
        counted.append(count('any of these', complete, by_prediction.any(0) & complete, by_label.any(0) & complete))
    return counted


def has_any(on: np.ndarray, sets: Sequence[Tuple[str, ...]], place: Dict[str, int]) -> np.ndarray:
    """Which images ``(N, )`` of ``(N, L)`` have one of the sets of attributes."""
    return np.any(
        [
            np.all([on[:, place[literal.lstrip('-')]] != literal.startswith('-') for literal in literals], 0)
            for literals in sets
        ],
        0,
    )


def count(name: str, known: np.ndarray, predicted: np.ndarray, labelled: np.ndarray) -> Contradiction:
    return Contradiction(name, int(predicted.sum()), int(labelled.sum()), int(known.sum()))
