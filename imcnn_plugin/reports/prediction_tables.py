"""The sections of a report that need single predictions."""

import io
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from PIL import Image

from ..apis import read_rgb
from ..errors import DataError
from ..evaluation import calibration_errors, compare_subgroups, find_worst_errors, nan_mean, reliability
from ..templates import data_uri
from ..visualization import plot_reliability, svg_uri
from .split_predictions import SplitPredictions

# Maximum numbers of errors, of errors of one attribute, and of images that are listed.
ERRORS, PER_ATTRIBUTE, IMAGES = 30, 3, 10
# Longer side of an image on the page, in pixels.
THUMBNAIL = 112


def _calibration(predictions: SplitPredictions) -> Dict[str, Any]:
    """The reliability diagram, and the expected calibration error of all labels pooled, in points."""
    p, y = predictions.probabilities, predictions.targets
    pooled = calibration_errors(p.reshape(-1, 1), y.reshape(-1, 1))[0][0]
    return dict(figure=svg_uri(plot_reliability(reliability(p, y))), pooled=pooled, labels=int((y >= 0).sum()))


def _subgroup_table(predictions: SplitPredictions, name: str) -> Dict[str, Any]:
    """A row per attribute: images with the attribute ``name`` against images without, largest gap first."""
    column = predictions.classes.index(name)
    found = compare_subgroups(predictions.predicted, predictions.targets, predictions.identity, column)
    accuracy, prevalence = ([*values.T, nan_mean(values)] for values in (found.accuracy, found.prevalence))
    columns = ([*predictions.classes, 'mean'], accuracy, prevalence, found.gap, found.low, found.high)
    keys = ('name', 'accuracy', 'prevalence', 'gap', 'low', 'high')
    *rows, means = (dict(zip(keys, values)) for values in zip(*columns))
    rows.sort(key=lambda row: -np.nan_to_num(abs(row['gap'])))
    return dict(name=name, images=found.images.tolist(), rows=rows, means=means)


def _worst_errors(predictions: SplitPredictions, pictures: bool) -> List[Dict[str, Any]]:
    """The wrong predictions with the highest confidence."""
    rows, columns = find_worst_errors(
        predictions.probabilities, predictions.targets, predictions.thresholds, ERRORS, PER_ATTRIBUTE
    )
    return [
        dict(
            _image_cells(predictions, row, pictures),
            attribute=predictions.classes[column],
            label=bool(predictions.targets[row, column] == 1),
            probability=100 * float(predictions.probabilities[row, column]),
        )
        for row, column in zip(rows, columns)
    ]


def _worst_images(predictions: SplitPredictions, pictures: bool) -> List[Dict[str, Any]]:
    """The images with the most wrong predictions."""
    known = predictions.targets >= 0
    wrong = known & (predictions.predicted != (predictions.targets == 1))
    return [
        dict(
            _image_cells(predictions, row, pictures),
            wrong=int(wrong[row].sum()),
            known=int(known[row].sum()),
            attributes=[predictions.classes[column] for column in np.flatnonzero(wrong[row])],
        )
        for row in np.argsort(-wrong.sum(1), kind='stable')[:IMAGES]
        if wrong[row].any()
    ]


def _image_cells(predictions: SplitPredictions, row: int, pictures: bool) -> Dict[str, Any]:
    return dict(
        image=predictions.names[row],
        identity=int(predictions.identity[row]),
        picture=_thumbnail(predictions.paths[row]) if pictures else None,
    )


def _thumbnail(path: str) -> str:
    """A small JPEG of an image, as a ``data:`` URI."""
    if not Path(path).is_file():
        raise DataError(f'{path} not found: pictures require the dataset as image files')
    image, file = Image.fromarray(read_rgb(path)), io.BytesIO()
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    image.save(file, format='JPEG', quality=85)
    return data_uri(file.getvalue(), 'image/jpeg')
