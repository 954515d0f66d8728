"""Detects the faces in labelled photos, to train a detector with attributes."""

import os
from collections import Counter
from pathlib import Path
from typing import Iterator

import numpy as np

from ..datasets import FaceDataset, LabelledPhoto
from ..errors import DataError
from .face_detection import FaceDetector
from .photos import read_photo


def label_photos(dataset: FaceDataset, detector: FaceDetector, counts: Counter) -> Iterator[LabelledPhoto]:
    """Detects the faces in the photos of a dataset; its labels are those of the largest face of each photo.

    The attributes of other faces are unknown. A photo without a detection is skipped, because its face would be
    trained as background.

    Args:
        dataset: A dataset of photos as taken, not aligned, in its ``data_root``.
        detector: The detector.
        counts: Counter to which the numbers of ``photos``, ``faces``, photos ``without`` a face, and those that
            ``failed`` are added.
    """
    for record in dataset.data_list:
        counts['photos'] += 1
        try:
            photo = read_photo(record['img_path'])
            faces = detector(photo)
        except DataError:
            counts['failed'] += 1
            continue
        counts['faces'] += len(faces)
        if not faces:
            counts['without'] += 1
            continue
        height, width = photo.shape[:2]
        boxes = np.clip([face.box for face in faces], 0, [width, height, width, height])
        labels = np.full((len(faces), len(record['gt_score'])), -1)
        labels[0] = record['gt_score']
        name = Path(os.path.relpath(record['img_path'], dataset.data_root)).as_posix()
        yield LabelledPhoto(name, width, height, boxes, labels)
