"""Checks a whole set in CelebA's layout and gathers all that is wrong; ``tools/data/check.py`` prints it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Union

import numpy as np

from ..datasets.celeba_lists import AttributeList, find_rows, read_attributes, read_identities, read_partition
from ..datasets.image_folder import files_in, find_folder, find_images, missing_images
from ..datasets.issues import Kind, Problem, show
from ..errors import DataError
from .image_checks import check_images
from .label_checks import (
    PARTS,
    constant_attributes,
    contradicting_persons,
    empty_parts,
    impossible_combinations,
    shared_persons,
    unlabelled,
)

LEFT_OVER = Kind('files in the folder of images that no list names', 'they are not used; remove them', is_error=False)


@dataclass(frozen=True)
class Checkup:
    """What was checked, and what is wrong with it."""

    root: str
    images: int  # lines of the attribute list that can be used
    identities: int
    parts: dict  # number of images by name
    problems: List[Problem]
    not_checked: List[str]  # parts of the set that were not looked at


def check_celeba(
    root: Union[str, Path],
    data_prefix: str = 'img_align_celeba',
    lists_only: bool = False,
    workers: Optional[int] = None,
) -> Checkup:
    """Checks lists, labels and images, for all protocols and splits.

    Args:
        root: The folder, as :class:`~imcnn_plugin.datasets.CelebAIdentity` takes it.
        data_prefix: The folder of images.
        lists_only: Look for no image.
        workers: Number of processes that read images; by default all cores, or 1 for a small set.

    Raises:
        DataError: There is no such folder.
    """
    if not os.path.isdir(root):
        raise DataError(f'{root} is no folder: give the one that holds CelebA')
    problems: List[Problem] = []
    report = problems.extend
    attributes, identities, partition = (
        read(root, report) for read in (read_attributes, read_identities, read_partition)
    )
    folder = None if lists_only else find_folder(root, data_prefix, report)
    if attributes is None:
        return Checkup(str(root), 0, 0, {}, problems, ['labels', 'persons', 'parts', 'images'])

    rows = np.full((2, len(attributes.names)), -1)
    values = np.full((2, len(attributes.names)), -1)
    for i, numbers in enumerate((identities, partition)):
        if numbers is not None:
            rows[i] = find_rows(attributes, numbers, report)
            # An image without a row has the last value.
            values[i] = np.append(numbers.values, -1)[rows[i]]
            report(unlabelled(attributes, numbers))
    if folder is not None:
        report(check_folder(root, data_prefix, folder, attributes, *values, workers))
    if attributes.classes is not None:
        report(constant_attributes(attributes))
        report(contradicting_persons(attributes, values[0]))
        report(impossible_combinations(attributes))
    if partition is not None:
        report(empty_parts(partition))
        report(shared_persons(attributes, values[0], partition, rows[1]))
    return Checkup(
        root=str(root),
        images=len(attributes.names),
        identities=len(np.unique(values[0][values[0] >= 0])),
        parts={name: int((values[1] == value).sum()) for value, name in enumerate(PARTS)},
        problems=problems,
        not_checked=[
            name
            for name, source in dict(
                labels=attributes.classes, persons=identities, parts=partition, images=folder
            ).items()
            if source is None
        ],
    )


def check_folder(
    root: Union[str, Path],
    data_prefix: str,
    folder: str,
    attributes: AttributeList,
    identity: np.ndarray,
    partition: np.ndarray,
    workers: Optional[int],
) -> List[Problem]:
    """Compares the files of the folder of images with the attribute list, and reads those that are listed."""
    _, names, missing = find_images(root, data_prefix, attributes.names)
    problems = missing_images(attributes.path, attributes.lines[missing], folder, names[missing])
    left_over = np.setdiff1d(files_in(folder), names)
    problems += [Problem(LEFT_OVER, folder, None, f'{show(name)} is in no list') for name in left_over.tolist()]
    there = np.setdiff1d(np.arange(len(names)), missing)
    return problems + check_images(folder, names[there], identity[there], partition[there], workers)
