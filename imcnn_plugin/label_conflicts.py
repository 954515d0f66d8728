"""Finds combinations of CelebA's attributes that (nearly) exclude each other, in predictions and in labels."""

from dataclasses import dataclass
from itertools import combinations, product
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

__all__ = [
    'COMBINATIONS', 'HAIR_COLORS', 'LabelConflict', 'count_label_conflicts', 'find_combinations',
    'predict_without_conflicts'
]  # fmt: skip

HAIR_COLORS = ('Black_Hair', 'Blond_Hair', 'Brown_Hair', 'Gray_Hair')

# An image has a combination if it has one of these sets of attributes; '-' before a name means its absence. In
# CelebA's lists, each set occurs on fewer than 7 % of the images that have its rarest attribute, most on fewer than
# 2 %. No_Beard with 5_o_Clock_Shadow occurs on 28 % of them and is therefore not a conflict.
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
        images: Number of images on which all of its attributes are labelled.
    """

    name: str
    predicted: int
    labelled: int
    images: int


def count_label_conflicts(predicted: np.ndarray, targets: np.ndarray, classes: Sequence[str]) -> List[LabelConflict]:
    """Counts each combination whose attributes are all in ``classes`` and, if there are any, their union.

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
    """Finds the images with each combination whose attributes are all in ``classes``.

    Args:
        positive: Booleans ``(N, L)``, predictions or labels.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        classes: The L attributes.

    Yields:
        The key in :data:`COMBINATIONS`; a mask ``(N, )`` of the images on which all its attributes are labelled; and
        for each of its sets of attributes, a mask ``(N, )`` of those images that have the set.
    """
    labelled = dict(zip(classes, (targets >= 0).T))
    has = dict(zip(classes, positive.T)) | {f'-{name}': ~column for name, column in zip(classes, positive.T)}
    for name, sets in COMBINATIONS.items():
        used = {literal.lstrip('-') for literals in sets for literal in literals}
        if used <= labelled.keys():
            known = np.all([labelled[attribute] for attribute in used], 0)
            yield name, known, {literals: known & np.all([has[x] for x in literals], 0) for literals in sets}


def predict_without_conflicts(probabilities: np.ndarray, thresholds: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """The most probable labels ``(N, L)``, booleans, without any set in :data:`COMBINATIONS`.

    Rows without conflicts keep the labels that the thresholds give. In other rows, attributes that exclude each other,
    directly or via others, get the allowed labels with the greatest sum of the log-odds of positive labels, relative
    to their thresholds. With thresholds of 1/2 these are the most probable labels. The search is exhaustive.

    Args:
        probabilities: ``(N, L)``.
        thresholds: ``(L, )``.
        classes: The L attributes. Sets with other attributes are ignored.
    """
    labels = probabilities >= thresholds
    gain = _log_odds(probabilities) - _log_odds(thresholds)
    for names, allowed in _allowed_labels(classes):
        columns = [classes.index(name) for name in names]
        wrong = ~(labels[:, None, columns] == allowed).all(2).any(1)
        labels[np.ix_(wrong, columns)] = allowed[(gain[np.ix_(wrong, columns)] @ allowed.T).argmax(1)]
    return labels


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    # Keep the log-odds of 0 and 1 finite.
    p = np.clip(np.asarray(probabilities, float), 1e-7, 1 - 1e-7)
    return np.log(p / (1 - p))


def _allowed_labels(classes: Sequence[str]) -> Iterator[Tuple[List[str], np.ndarray]]:
    """Yields groups of k attributes connected by sets, and their allowed labels ``(A, k)``, which have no set."""
    sets = [literals for group in COMBINATIONS.values() for literals in group]
    sets = [literals for literals in sets if {literal.lstrip('-') for literal in literals} <= {*classes}]
    while sets:
        names, members = {literal.lstrip('-') for literal in sets[0]}, []
        while joined := [literals for literals in sets if names & {literal.lstrip('-') for literal in literals}]:
            sets = [literals for literals in sets if literals not in joined]
            members += joined
            names |= {literal.lstrip('-') for literals in joined for literal in literals}
        names = sorted(names)
        found = [dict(zip(names, values)) for values in product([False, True], repeat=len(names))]
        allowed = [
            [*labels.values()]
            for labels in found
            if not any(all(labels[x.lstrip('-')] != x.startswith('-') for x in literals) for literals in members)
        ]
        yield names, np.array(allowed)
