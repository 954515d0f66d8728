"""Checks labels, identities and splits of readable lists. All issues are warnings, since annotators make mistakes."""

from typing import List

import numpy as np

from ..datasets.celeba_lists import AttributeList, NumberList
from ..datasets.issues import Issue, IssueKind, quote
from ..label_conflicts import find_combinations

SPLITS = ('train', 'val', 'test')
# The only attribute of CelebA whose labels almost always agree within an identity: 0.98 beyond chance. The next is
# Young with 0.85, which changes with age.
CONSISTENT_ATTRIBUTE = 'Male'

UNLABELLED = IssueKind(
    'images without attributes', 'they are not used; take all lists from the same download', is_error=False
)
EMPTY_SPLIT = IssueKind('empty splits', "protocol 'official' finds no images there", is_error=False)
SHARED = IssueKind(
    'identities in more than one split',
    "protocol 'official' rejects them, because a model would be tested on identities it was trained on: move all "
    "images of an identity to one split, or use protocol 'paper' or 'kfold', which make their own splits",
    is_error=False,
)
CONSTANT = IssueKind(
    'attributes with the same label on all images',
    'they can be neither learned nor evaluated; is this the whole list?',
    is_error=False,
)
INCONSISTENT = IssueKind(
    f'identities labelled both {CONSISTENT_ATTRIBUTE} and not {CONSISTENT_ATTRIBUTE}',
    "check their images: either a label is wrong, or an image shows another identity; CelebA's own lists have 615 "
    'such identities, of 10,177',
    is_error=False,
)


def _find_unlabelled_images(attributes: AttributeList, numbers: NumberList) -> List[Issue]:
    """Finds lines of images that are not in the attribute list."""
    rows = np.flatnonzero(~np.isin(numbers.names, attributes.names))
    return [
        Issue(UNLABELLED, numbers.path, line, f'{quote(name)} is not in {attributes.path}')
        for line, name in zip(numbers.lines[rows].tolist(), numbers.names[rows].tolist())
    ]


def _find_constant_attributes(attributes: AttributeList) -> List[Issue]:
    """Finds attributes that all images or no images have."""
    issues = []
    for name, column in zip(attributes.classes, attributes.labels.T):
        values = np.unique(column[column >= 0])
        if len(values) == 1:
            found = f'{name} is {"1" if values[0] else "-1"} on all {len(column)} images'
            issues.append(Issue(CONSTANT, attributes.path, None, found))
    return issues


def _find_label_conflicts(attributes: AttributeList) -> List[Issue]:
    """Finds images with mutually exclusive labels."""
    issues = []
    labels = attributes.labels
    for combination, _, masks in find_combinations(labels == 1, labels, attributes.classes):
        kind = IssueKind(
            f'conflicting labels: {combination}',
            "CelebA's own lists have conflicting labels on 2.4 % of the images; many more suggest mixed-up columns",
            is_error=False,
        )
        found = {}
        for literals, mask in masks.items():
            found.update(dict.fromkeys(np.flatnonzero(mask).tolist(), ' and '.join(literals).replace('-', 'not ')))
        for row in sorted(found):
            text = f'{quote(attributes.names[row])} is labelled {found[row]}'
            issues.append(Issue(kind, attributes.path, int(attributes.lines[row]), text))
    return issues


def _find_inconsistent_identities(attributes: AttributeList, identity: np.ndarray) -> List[Issue]:
    """Finds identities (``(N, )``, -1 for unknown) whose labels of the consistent attribute differ."""
    name, issues = CONSISTENT_ATTRIBUTE, []
    if name not in attributes.classes:
        return issues
    labels = attributes.labels[:, attributes.classes.index(name)]
    for rows in _group_by_identity(np.where(labels >= 0, identity, -1)):
        positive = labels[rows] == 1
        if positive.all() or not positive.any():
            continue
        mostly = 2 * positive.sum() >= len(rows)
        odd = rows[positive != mostly]
        usual, other = (name, f'not {name}') if mostly else (f'not {name}', name)
        more = f' and {len(odd) - 1} more' if len(odd) > 1 else ''
        found = (
            f'identity {identity[odd[0]]} is {usual} on {len(rows) - len(odd)} images, but {other} on '
            f'{quote(attributes.names[odd[0]])}{more}'
        )
        issues.append(Issue(INCONSISTENT, attributes.path, int(attributes.lines[odd[0]]), found))
    return sorted(issues, key=lambda issue: issue.line)


def _find_shared_identities(
    attributes: AttributeList, identity: np.ndarray, partition: NumberList, rows: np.ndarray
) -> List[Issue]:
    """Finds identities (``(N, )``, -1 for unknown) in more than one split.

    ``rows`` ``(N, )`` are the rows of the images in the list of splits, -1 if they are missing there.
    """
    issues = []
    for images in _group_by_identity(np.where(rows >= 0, identity, -1)):
        present, first, counts = np.unique(partition.values[rows[images]], return_index=True, return_counts=True)
        if len(present) == 1:
            continue
        found = ', '.join(
            f'{count} in {SPLITS[value]} ({quote(attributes.names[images[i]])})'
            for value, i, count in zip(present, first, counts)
        )
        fewest = images[first[counts.argmin()]]
        line = int(partition.lines[rows[fewest]])
        issues.append(Issue(SHARED, partition.path, line, f'identity {identity[fewest]} has {found}'))
    return sorted(issues, key=lambda issue: issue.line)


def _find_empty_splits(partition: NumberList) -> List[Issue]:
    return [
        Issue(EMPTY_SPLIT, partition.path, None, f'no image is in split {value}, {name}')
        for value, name in enumerate(SPLITS)
        if value not in partition.values
    ]


def _group_by_identity(identity: np.ndarray) -> List[np.ndarray]:
    """Row indices of each identity, in ascending order of identity; unknown identities (-1) are ignored."""
    rows = np.argsort(identity, kind='stable')
    rows = rows[identity[rows] >= 0]
    _, starts = np.unique(identity[rows], return_index=True)
    return np.split(rows, starts[1:]) if len(rows) else []
