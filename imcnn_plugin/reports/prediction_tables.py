"""What a report says of single predictions."""

import base64
import io
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from PIL import Image

from ..apis.photos import read_image
from ..errors import DataError
from ..evaluation.attribute_scores import mean_or_none
from ..evaluation.calibration import calibration_errors, reliability
from ..evaluation.subgroup_gap import compare_subgroups
from ..evaluation.worst_errors import worst_mistakes
from ..visualization.report_figures import plot_reliability, svg_address
from .test_predictions import RunPredictions

# How many mistakes are listed, of one attribute at most, and how many images.
MISTAKES, OF_ONE, IMAGES = 30, 3, 10
# Of a picture, in pixels.
THUMBNAIL = 112


def calibration(predictions: RunPredictions) -> Dict[str, Any]:
    """The reliability diagram, and the expected calibration error of all labels together, in points."""
    p, y = predictions.probabilities, predictions.targets
    pooled = calibration_errors(p.reshape(-1, 1), y.reshape(-1, 1))[0][0]
    return dict(figure=svg_address(plot_reliability(reliability(p, y))), pooled=pooled, labels=int((y >= 0).sum()))


def subgroup_table(predictions: RunPredictions, name: str) -> Dict[str, Any]:
    """Rows of attributes by whether images have the attribute ``name``, widest gap first."""
    parts = compare_subgroups(
        predictions.predicted, predictions.targets, predictions.identity, predictions.classes.index(name)
    )
    rows = [
        dict(name=attribute, accuracy=accuracy, prevalence=prevalence, gap=gap, low=low, high=high)
        for attribute, accuracy, prevalence, gap, low, high in zip(
            predictions.classes, parts.accuracy.T, parts.prevalence.T, parts.gap, parts.low, parts.high
        )
    ]
    means = dict(gap=parts.gap[-1], low=parts.low[-1], high=parts.high[-1])
    means['accuracy'], means['prevalence'] = (
        [mean_or_none(values) for values in part] for part in (parts.accuracy, parts.prevalence)
    )
    rows.sort(key=lambda row: -np.nan_to_num(abs(row['gap'])))
    return dict(name=name, images=parts.images.tolist(), rows=rows, means=means)


def list_mistakes(predictions: RunPredictions, pictures: bool) -> List[Dict[str, Any]]:
    """The wrong predictions that the model is most certain of."""
    rows, columns = worst_mistakes(
        predictions.probabilities, predictions.targets, predictions.thresholds, MISTAKES, OF_ONE
    )
    names = predictions.names
    return [
        dict(
            image=names[row],
            person=int(predictions.identity[row]),
            attribute=predictions.classes[column],
            label=bool(predictions.targets[row, column] == 1),
            probability=100 * float(predictions.probabilities[row, column]),
            picture=thumbnail(predictions.paths[row]) if pictures else None,
        )
        for row, column in zip(rows, columns)
    ]


def list_torn(predictions: RunPredictions, pictures: bool) -> List[Dict[str, Any]]:
    """The images with the most wrong predictions."""
    known = predictions.targets >= 0
    wrong = known & (predictions.predicted != (predictions.targets == 1))
    names = predictions.names
    return [
        dict(
            image=names[row],
            person=int(predictions.identity[row]),
            wrong=int(wrong[row].sum()),
            known=int(known[row].sum()),
            attributes=[predictions.classes[column] for column in np.flatnonzero(wrong[row])],
            picture=thumbnail(predictions.paths[row]) if pictures else None,
        )
        for row in np.argsort(-wrong.sum(1), kind='stable')[:IMAGES]
        if wrong[row].any()
    ]


def thumbnail(path: str) -> str:
    """A small picture of an image as a ``data:`` address.

    Raises:
        DataError: There is no such file.
    """
    if not Path(path).is_file():
        raise DataError(f'{path} not found: pictures need the data set as files')
    picture, file = Image.fromarray(read_image(path)), io.BytesIO()
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    picture.save(file, format='JPEG', quality=85)
    return 'data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode()
