"""Reads all images of a dataset once, in several processes, and finds their issues."""

import hashlib
import os
from collections import Counter
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from ..datasets.file_signatures import HTML_PAGE, identify_foreign_file
from ..datasets.image_file import IMAGES_PER_PROCESS, IMAGES_PER_TASK, UnreadableImage, decode_image, find_corruption
from ..datasets.issues import Issue, IssueKind, quote
from ..parallel import default_jobs, map_in_processes
from ..progress import track

EMPTY = IssueKind('empty image files', 'unpack or download them again; a full disk can be the cause')
CUT_OFF = IssueKind('truncated or damaged images', 'unpack or download them again')
NO_IMAGE = IssueKind('files that are not images', 'unpack or download them again')
SIZE = IssueKind(
    'images of a different size than most',
    'training resizes all images to one size, which distorts faces that were cropped differently: are these images '
    'from another version of the dataset?',
    is_error=False,
)
VARIED = IssueKind(
    'images of many sizes',
    'training resizes all images to one size, which distorts each differently: are these the aligned images?',
    is_error=False,
)
SAME = IssueKind(
    'identical images under two names',
    'remove one from all lists, especially if it is of another identity or in another split',
    is_error=False,
)


class _ImageFacts(NamedTuple):
    """The result of reading an image: an issue, or its size and digest."""

    issue: Optional[Tuple[IssueKind, str]] = None
    size: Optional[Tuple[int, int]] = None  # width and height
    digest: Optional[bytes] = None  # SHA-256 of the file


def _read_facts(path: str) -> _ImageFacts:
    """Decodes an image as in training."""
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except OSError as error:
        return _ImageFacts((NO_IMAGE, f'cannot be read ({error.strerror})'))
    if not content:
        return _ImageFacts((EMPTY, 'has no bytes'))
    if foreign := identify_foreign_file(content):
        kind, found = foreign
        return _ImageFacts((kind if kind == HTML_PAGE else NO_IMAGE, f'is {found}'))
    if reason := find_corruption(content):
        return _ImageFacts((CUT_OFF, reason))
    try:
        height, width = decode_image(content).shape[:2]
    except UnreadableImage as error:
        return _ImageFacts((NO_IMAGE, str(error)))
    return _ImageFacts(None, (width, height), hashlib.sha256(content).digest())


def _read_images(paths: List[str]) -> List[_ImageFacts]:
    return list(map(_read_facts, paths))


def _check_images(
    folder: str, names: np.ndarray, identity: np.ndarray, split: np.ndarray, workers: Optional[int] = None
) -> List[Issue]:
    """Reads N images; ``names`` (bytes), ``identity`` and ``split`` (-1 for unknown) are ``(N, )``."""
    paths = [os.path.join(folder, os.fsdecode(name)) for name in names.tolist()]
    tasks = [paths[i : i + IMAGES_PER_TASK] for i in range(0, len(paths), IMAGES_PER_TASK)]
    batches = map_in_processes(_read_images, tasks, workers or default_jobs(len(paths), IMAGES_PER_PROCESS))
    batches = track(batches, 'Reading images', total=len(tasks))
    facts = [fact for batch in batches for fact in batch]
    issues = [Issue(fact.issue[0], path, None, fact.issue[1]) for fact, path in zip(facts, paths) if fact.issue]
    issues += _find_unusual_sizes([fact.size for fact in facts], folder, paths)
    return issues + _find_identical_images([fact.digest for fact in facts], paths, names, identity, split)


def _find_unusual_sizes(sizes: List[Optional[Tuple[int, int]]], folder: str, paths: List[str]) -> List[Issue]:
    """Finds images that differ in size from the majority; without a majority, one issue for all."""
    counts = Counter(size for size in sizes if size)
    if len(counts) < 2:
        return []
    [(usual, count)] = counts.most_common(1)
    width, height = usual
    if 2 * count <= counts.total():
        found = f'{len(counts)} sizes, most often {width}x{height} ({count} of {counts.total()} images)'
        return [Issue(VARIED, folder, None, found)]
    return [
        Issue(SIZE, path, None, f'is {size[0]}x{size[1]}, most are {width}x{height}')
        for path, size in zip(paths, sizes)
        if size and size != usual
    ]


def _find_identical_images(
    digests: List[Optional[bytes]], paths: List[str], names: np.ndarray, identity: np.ndarray, split: np.ndarray
) -> List[Issue]:
    """Finds images whose files are byte-identical to the file of an earlier image."""
    first: Dict[bytes, int] = {}
    issues = []
    for row, digest in enumerate(digests):
        if digest is None or first.setdefault(digest, row) == row:
            continue
        other = first[digest]
        found = f'is the same as {quote(names[other])}'
        found += ' of another identity' * bool(identity[row] != identity[other])
        found += ' in another split' * bool(split[row] != split[other])
        issues.append(Issue(SAME, paths[row], None, found))
    return issues
