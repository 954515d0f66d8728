"""Checks a dataset in CelebA's layout and collects all issues; ``tools/data/check.py`` prints them."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Union

import numpy as np

from ..datasets.celeba_lists import match_rows, read_attribute_list, read_identity_list, read_partition_list
from ..datasets.image_folder import DATA_PREFIX, find_image_folder, find_images, list_files, missing_image_issues
from ..datasets.issues import Issue, IssueKind, quote
from ..errors import DataError
from .image_checks import _check_images
from .label_checks import (
    SPLITS,
    _find_constant_attributes,
    _find_empty_splits,
    _find_inconsistent_identities,
    _find_label_conflicts,
    _find_shared_identities,
    _find_unlabelled_images,
)

UNUSED = IssueKind('files in the image folder that are in no list', 'they are not used; remove them', is_error=False)


@dataclass(frozen=True)
class CheckResult:
    """The size of the checked dataset, and all issues that were found."""

    root: str
    images: int  # usable lines of the attribute list
    identities: int
    splits: Dict[str, int]  # number of images by split
    issues: List[Issue]
    not_checked: List[str]  # which of labels, identities, splits and images were not checked

    def count(self, is_error: bool) -> int:
        """Number of errors, or of warnings."""
        return sum(issue.kind.is_error == is_error for issue in self.issues)


def check_celeba(
    root: Union[str, Path], data_prefix: str = DATA_PREFIX, lists_only: bool = False, workers: Optional[int] = None
) -> CheckResult:
    """Checks lists, labels and images, for all protocols and splits.

    Args:
        root: The data root of :class:`~imcnn_plugin.datasets.CelebAIdentity`.
        data_prefix: The image folder in it.
        lists_only: Skip the images.
        workers: Number of processes that read images; by default all cores, or 1 for a small dataset.

    Raises:
        DataError: The folder ``root`` does not exist.
    """
    if not os.path.isdir(root):
        raise DataError(f'{root} is not a folder: give the folder that holds CelebA')
    issues: List[Issue] = []
    report = issues.extend
    attributes, identities, partition = (
        read(root, report) for read in (read_attribute_list, read_identity_list, read_partition_list)
    )
    folder = None if lists_only else find_image_folder(root, data_prefix, report)
    if attributes is None:
        return CheckResult(str(root), 0, 0, {}, issues, ['labels', 'identities', 'splits', 'images'])

    # Row and value of each image in the lists of identities and splits; -1 if it is missing there.
    rows, values = np.full((2, 2, len(attributes.names)), -1)
    for i, numbers in enumerate((identities, partition)):
        if numbers is not None:
            rows[i] = match_rows(attributes, numbers, report)
            values[i] = np.append(numbers.values, -1)[rows[i]]
            report(_find_unlabelled_images(attributes, numbers))
    identity, split = values
    if folder is not None:
        _, names, missing = find_images(root, data_prefix, attributes.names)
        report(missing_image_issues(attributes.path, attributes.lines[missing], folder, names[missing]))
        unused = np.setdiff1d(list_files(folder), names).tolist()
        report([Issue(UNUSED, folder, None, f'{quote(name)} is in no list') for name in unused])
        present = np.setdiff1d(np.arange(len(names)), missing)
        report(_check_images(folder, names[present], identity[present], split[present], workers))
    if attributes.classes is not None:
        report(_find_constant_attributes(attributes))
        report(_find_inconsistent_identities(attributes, identity))
        report(_find_label_conflicts(attributes))
    if partition is not None:
        report(_find_empty_splits(partition))
        report(_find_shared_identities(attributes, identity, partition, rows[1]))
    sources = dict(labels=attributes.classes, identities=identities, splits=partition, images=folder)
    return CheckResult(
        root=str(root),
        images=len(attributes.names),
        identities=len(np.unique(identity[identity >= 0])),
        splits={name: int((split == value).sum()) for value, name in enumerate(SPLITS)},
        issues=issues,
        not_checked=[name for name, source in sources.items() if source is None],
    )
