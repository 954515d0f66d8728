"""Writes photos with several faces as a COCO file, the format that mmdet and most detectors read."""

import json
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence, Union

import numpy as np

from ..files import write_text


class LabelledPhoto(NamedTuple):
    """A photo with the boxes and attributes of its F faces."""

    file_name: str  # a path in the folder of the COCO file
    width: int
    height: int
    boxes: np.ndarray  # (F, 4) left, top, right, bottom in pixels
    labels: np.ndarray  # (F, L) 1, 0, or -1 for unknown


def write_coco(path: Union[str, Path], photos: Iterable[LabelledPhoto], classes: Sequence[str]) -> None:
    """Writes a COCO file with one category, ``face``.

    As for COCO's keypoints, the category lists the names of the ``attributes`` and each annotation lists their values:
    1, 0, or -1 for unknown.

    Raises:
        DataError: The file cannot be written.
    """
    images, annotations = [], []
    for photo in photos:
        images.append(dict(id=len(images) + 1, file_name=photo.file_name, width=photo.width, height=photo.height))
        for (left, top, right, bottom), values in zip(np.round(photo.boxes, 2).tolist(), photo.labels.tolist()):
            box = [left, top, round(right - left, 2), round(bottom - top, 2)]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=len(images),
                    category_id=1,
                    bbox=box,
                    area=round(box[2] * box[3], 2),
                    iscrowd=0,
                    attributes=values,
                )
            )
    categories = [dict(id=1, name='face', attributes=list(classes))]
    write_text(path, json.dumps(dict(images=images, annotations=annotations, categories=categories)) + '\n')
