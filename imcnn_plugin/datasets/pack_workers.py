"""Runs functions over the images of a pack in several processes."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, Tuple

import mmcv
import numpy as np
from mmcv.transforms import CenterCrop

from ..parallel import default_jobs, map_in_processes
from ..progress import progress_bar
from .image_file import IMAGES_PER_PROCESS, IMAGES_PER_TASK, UnreadableImage, read_image


@dataclass(frozen=True)
class _PackTask:
    """Some images of a pack."""

    pack: Path
    folder: str  # of the image files
    size: int
    cut: Optional[Tuple[int, int]]  # width and height of the center crop
    rows: np.ndarray  # (n, ) of the images in the pack
    names: np.ndarray  # (n, ) bytes, of the files

    def read_faces(self, unreadable: Dict[int, str]) -> Iterator[Tuple[int, np.ndarray]]:
        """Yields rows and images, and adds the rows of unreadable images, with the reason, to ``unreadable``.

        Images are the output of ``LoadFaceFromFile``, ``CenterCrop(crop_size=cut)`` and
        ``Resize(scale=(size, size), interpolation='area')``.
        """
        for row, name in zip(self.rows.tolist(), self.names.tolist()):
            try:
                image = read_image(os.path.join(self.folder, os.fsdecode(name)))
            except UnreadableImage as error:
                unreadable[row] = str(error)
            else:
                if self.cut:
                    image = CenterCrop(crop_size=tuple(self.cut))(dict(img=image))['img']
                yield row, mmcv.imresize(image, (self.size, self.size), interpolation='area', backend='cv2')


def _run_task(
    function: Callable[[_PackTask], Dict[int, str]], task: _PackTask, jobs: Optional[int], title: str, total: int
) -> Iterator[Tuple[np.ndarray, Dict[int, str]]]:
    """Splits a task, runs a function on each piece and yields its rows and result.

    A progress bar shows how many of the pack's ``total`` images are done.
    """
    slices = [slice(start, start + IMAGES_PER_TASK) for start in range(0, len(task.rows), IMAGES_PER_TASK)]
    pieces = [replace(task, rows=task.rows[piece], names=task.names[piece]) for piece in slices]
    if jobs is None:
        jobs = default_jobs(len(task.rows), IMAGES_PER_PROCESS)
    with progress_bar(title, total, completed=total - len(task.rows)) as advance:
        for piece, result in zip(pieces, map_in_processes(function, pieces, jobs)):
            yield piece.rows, result
            advance(len(piece.rows))
