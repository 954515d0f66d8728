"""Shares out the images of a pack among processes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from ..parallel import ROWS_A_PROCESS, ROWS_A_TASK, results, usable_cores
from .face_file import UnreadableImage, read_face


@dataclass(frozen=True)
class Task:
    """Some images, for one process."""

    pack: Path
    folder: str
    size: int
    rows: np.ndarray  # (n, )
    names: List[bytes]  # of n files


def read_faces(task: Task, bad: Dict[int, str]) -> Iterator[Tuple[int, np.ndarray]]:
    """Yields rows and images, and notes in ``bad`` the rows of those that cannot be read with the reason."""
    for row, name in zip(task.rows.tolist(), task.names):
        try:
            yield row, read_face(os.path.join(task.folder, name.decode()), task.size)
        except UnreadableImage as error:
            bad[row] = str(error)


def make_tasks(pack: Path, folder: str, size: int, rows: np.ndarray, names: np.ndarray) -> List[Task]:
    pieces = np.array_split(rows, np.arange(ROWS_A_TASK, len(rows), ROWS_A_TASK)) if len(rows) else []
    return [Task(pack, folder, size, piece, names[piece].tolist()) for piece in pieces]


def run_tasks(
    function: Callable[[Task], Dict[int, str]], tasks: List[Task], jobs: Optional[int], title: str, total: int
) -> Iterator[Tuple[Task, Dict[int, str]]]:
    """Runs a function on all tasks and yields each with its result, with a progress bar of ``total`` images."""
    from rich.progress import Progress

    rows = sum(len(task.rows) for task in tasks)
    if jobs is None:
        jobs = max(1, min(usable_cores(), rows // ROWS_A_PROCESS))
    with Progress() as progress:
        bar = progress.add_task(title, total=total, completed=total - rows)
        for task, result in zip(tasks, results(function, tasks, jobs)):
            yield task, result
            progress.advance(bar, len(task.rows))
