"""What is odd about labels, identities and parts that can be read: warnings, as people made the labels."""

from typing import List

import numpy as np

from ..datasets.celeba_lists import AttributeList, NumberList
from ..datasets.issues import Kind, Problem, show
from ..label_conflicts import COMBINATIONS, has_any

PARTS = ('train', 'val', 'test')
# Of CelebA's attributes, the one on which two images of a person agree almost always: 0.98 beyond chance.
# Young, the next, has 0.85, and people age.
LASTING = ('Male',)

UNLABELLED = Kind(
    'images of a list without attributes', 'they are not used; take all lists from the same download', is_error=False
)
EMPTY_PART = Kind('empty parts of the split', "protocol 'official' has nothing to read there", is_error=False)
SHARED = Kind(
    'persons in more than one part of the split',
    "protocol 'official' refuses them, as a model would be tested on people it was trained on: move all images of a "
    "person to one part, or use protocol 'paper' or 'kfold', which make their own parts",
    is_error=False,
)
CONSTANT = Kind(
    'attributes that are the same on all images',
    'nothing can be learned or measured of them; is this the whole list?',
    is_error=False,
)


def both_ways(attribute: str) -> Kind:
    return Kind(
        f'persons who are {attribute} on some images and not on others',
        "look at the images: either a label is wrong, or an image is another person's; CelebA's own lists "
        'have 615 such persons, of 10,177',
        is_error=False,
    )


def excluding(combination: str) -> Kind:
    return Kind(
        f'labels that exclude each other: {combination}',
        "CelebA's own lists have such labels on 2.4 % of the images, all of these kinds together; many more are a "
        'sign of columns that are mixed up',
        is_error=False,
    )


def unlabelled(attributes: AttributeList, numbers: NumberList) -> List[Problem]:
    """Lines for images that the attribute list does not have."""
    return [
        Problem(
            UNLABELLED,
            numbers.path,
            int(numbers.lines[row]),
            f'{show(numbers.names[row])} is not in {attributes.path}',
        )
        for row in np.flatnonzero(~np.isin(numbers.names, attributes.names))
    ]


def constant_attributes(attributes: AttributeList) -> List[Problem]:
    """Attributes that all images have, or none."""
    problems = []
    for name, column in zip(attributes.classes, attributes.labels.T):
        values = np.unique(column[column >= 0])
        if len(values) == 1:
            found = f'{name} is {"1" if values[0] else "-1"} on all {len(column)} images'
            problems.append(Problem(CONSTANT, attributes.path, None, found))
    return problems


def impossible_combinations(attributes: AttributeList) -> List[Problem]:
    """Images with labels that exclude each other."""
    place = {name: i for i, name in enumerate(attributes.classes)}
    problems = []
    for combination, sets in COMBINATIONS.items():
        columns = [place.get(literal.lstrip('-')) for literals in sets for literal in literals]
        if None in columns:
            continue
        known = (attributes.labels[:, columns] >= 0).all(1)
        found = {}
        for literals in sets:
            rows = np.flatnonzero(known & has_any(attributes.labels == 1, [literals], place))
            found.update(dict.fromkeys(rows.tolist(), ' and '.join(literals).replace('-', 'not ')))
        problems += [
            Problem(
                excluding(combination),
                attributes.path,
                int(attributes.lines[row]),
                f'{show(attributes.names[row])} is labelled {found[row]}',
            )
            for row in sorted(found)
        ]
    return problems


def contradicting_persons(attributes: AttributeList, identity: np.ndarray) -> List[Problem]:
    """Persons some of whose images have an attribute that lasts and some have not."""
    problems = []
    for name in LASTING:
        if name not in attributes.classes:
            continue
        labels = attributes.labels[:, attributes.classes.index(name)]
        persons = np.where(labels >= 0, identity, -1)
        for rows in groups(persons):
            positive = labels[rows] == 1
            if persons[rows[0]] < 0 or positive.all() or not positive.any():
                continue
            mostly = 2 * positive.sum() >= len(rows)
            odd = rows[positive != mostly]
            usual, other = (name, f'not {name}') if mostly else (f'not {name}', name)
            more = f' and {len(odd) - 1} more' if len(odd) > 1 else ''
            found = (
                f'identity {identity[odd[0]]} is {usual} on {len(rows) - len(odd)} images, but {other} on '
                f'{show(attributes.names[odd[0]])}{more}'
            )
            problems.append(Problem(both_ways(name), attributes.path, int(attributes.lines[odd[0]]), found))
    return sorted(problems, key=lambda problem: problem.line)


def shared_persons(
    attributes: AttributeList, identity: np.ndarray, parts: NumberList, rows: np.ndarray
) -> List[Problem]:
    """Persons with images in more than one part.

    Args:
        attributes: N images.
        identity: ``(N, )``, -1 for unknown.
        parts: The list of parts.
        rows: The images' rows in it ``(N, )``, -1 for none.
    """
    problems = []
    persons = np.where(rows >= 0, identity, -1)
    for images in groups(persons):
        if persons[images[0]] < 0:
            continue
        part = parts.values[rows[images]]
        present, first, counts = np.unique(part, return_index=True, return_counts=True)
        if len(present) == 1:
            continue
        found = ', '.join(
            f'{count} in {PARTS[value]} ({show(attributes.names[images[i]])})'
            for value, i, count in zip(present, first, counts)
        )
        fewest = images[first[counts.argmin()]]
        problems.append(
            Problem(SHARED, parts.path, int(parts.lines[rows[fewest]]), f'identity {identity[fewest]} has {found}')
        )
    return sorted(problems, key=lambda problem: problem.line)


def empty_parts(parts: NumberList) -> List[Problem]:
    """Parts without any image."""
    return [
        Problem(EMPTY_PART, parts.path, None, f'no image is in part {value}, {name}')
        for value, name in enumerate(PARTS)
        if value not in parts.values
    ]


def groups(keys: np.ndarray) -> List[np.ndarray]:
    """The indices of equal keys, an array for each key that there is, in the order of keys."""
    _, counts = np.unique(keys, return_counts=True)
    return np.split(np.argsort(keys, kind='stable'), np.cumsum(counts)[:-1]) if len(keys) else []
