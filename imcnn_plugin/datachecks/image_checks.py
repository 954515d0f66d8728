"""Reads all images of a set once, in several processes, and says what is wrong with them."""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np
from rich.console import Console
from rich.progress import track

from ..datasets.face_file import UnreadableImage, read_image, why_not_whole
from ..datasets.file_signatures import HTML_PAGE, foreign_file
from ..datasets.issues import Kind, Problem, show
from ..parallel import ROWS_A_PROCESS, ROWS_A_TASK, results, usable_cores

EMPTY = Kind('empty image files', 'unpack or download them again; a full disk leaves such files')
CUT_OFF = Kind('images that are cut off or damaged', 'unpack or download them again')
NO_IMAGE = Kind('files that are no image', 'unpack or download them again')
SIZE = Kind(
    'images of another size than most',
    'a training resizes every image to one size, so a face that is cut out otherwise is distorted: is it from another '
    'version of the data set?',
    is_error=False,
)
VARIED = Kind(
    'images of many sizes',
    'a training resizes every image to one size, which distorts each in its own way: are these the aligned images?',
    is_error=False,
)
SAME = Kind(
    'the same image under two names',
    'remove one from all lists, above all where it is of another person or in another part',
    is_error=False,
)


@dataclass(frozen=True)
class ImageTask:
    """Some images, for one process."""

    folder: str
    names: List[bytes]


@dataclass(frozen=True)
class ImageFacts:
    """What reading n images told."""

    problems: List[Optional[Tuple[Kind, str]]]  # of n images: what is wrong with it
    sizes: List[Optional[Tuple[int, int]]]  # width and height
    digests: List[Optional[bytes]]  # of the file's content


def examine(path: bytes) -> Tuple[Optional[Tuple[Kind, str]], Optional[Tuple[int, int]], Optional[bytes]]:
    """Decodes an image as a training does. What is wrong with it; or its width, height and digest."""
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except OSError as error:
        return (NO_IMAGE, f'cannot be read ({error.strerror})'), None, None
    if not content:
        return (EMPTY, 'has no bytes'), None, None
    if foreign := foreign_file(content):
        kind, found = foreign
        return (kind if kind == HTML_PAGE else NO_IMAGE, f'is {found}'), None, None
    if reason := why_not_whole(content):
        return (CUT_OFF, reason), None, None
    try:
        height, width = read_image(path).shape[:2]
    except UnreadableImage as error:
        return (NO_IMAGE, str(error)), None, None
    return None, (width, height), hashlib.sha256(content).digest()


def read_images(task: ImageTask) -> ImageFacts:
    folder = os.fsencode(task.folder)
    return ImageFacts(*map(list, zip(*(examine(os.path.join(folder, name)) for name in task.names))))


def check_images(
    folder: str, names: np.ndarray, identity: np.ndarray, partition: np.ndarray, workers: Optional[int] = None
) -> List[Problem]:
    """Reads N images, with a progress bar.

    Args:
        folder: Where they are.
        names: Their names in it ``(N, )``.
        identity: ``(N, )``, -1 for unknown.
        partition: ``(N, )``, -1 for unknown.
        workers: Number of processes; by default all cores, or 1 for a small set. With 1 none is started.
    """
    if workers is None:
        workers = max(1, min(usable_cores(), len(names) // ROWS_A_PROCESS))
    tasks = [ImageTask(folder, names[i : i + ROWS_A_TASK].tolist()) for i in range(0, len(names), ROWS_A_TASK)]
    facts = track(
        results(read_images, tasks, workers), 'Reading images', total=len(tasks), console=Console(stderr=True)
    )
    facts = list(facts)
    paths = [os.path.join(folder, os.fsdecode(name)) for name in names.tolist()]
    found = [problem for fact in facts for problem in fact.problems]
    problems = [Problem(problem[0], path, None, problem[1]) for problem, path in zip(found, paths) if problem]
    problems += other_sizes([size for fact in facts for size in fact.sizes], folder, paths)
    problems += same_images([digest for fact in facts for digest in fact.digests], paths, names, identity, partition)
    return problems


def other_sizes(sizes: List[Optional[Tuple[int, int]]], folder: str, paths: List[str]) -> List[Problem]:
    """Images that are not of the size that most have; where none is of most, one problem for all."""
    counts = Counter(size for size in sizes if size)
    if len(counts) < 2:
        return []
    (usual, count), *_ = counts.most_common(1)
    width, height = usual
    if 2 * count <= counts.total():
        found = f'{len(counts)} sizes, most often {width}x{height} ({count} of {counts.total()} images)'
        return [Problem(VARIED, folder, None, found)]
    return [
        Problem(SIZE, path, None, f'is {size[0]}x{size[1]}, most are {width}x{height}')
        for path, size in zip(paths, sizes)
        if size and size != usual
    ]


def same_images(
    digests: List[Optional[bytes]], paths: List[str], names: np.ndarray, identity: np.ndarray, partition: np.ndarray
) -> List[Problem]:
    """Images whose files have the same bytes as that of an image before them."""
    first: Dict[bytes, int] = {}
    problems = []
    for row, digest in enumerate(digests):
        if digest is None or first.setdefault(digest, row) == row:
            continue
        other = first[digest]
        but = ' of another person' * bool(identity[row] != identity[other])
        but += ' in another part of the split' * bool(partition[row] != partition[other])
        problems.append(Problem(SAME, paths[row], None, f'is the same as {show(names[other])}{but}'))
    return problems
