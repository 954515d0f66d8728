"""Predictions for every image of the test split, for the sections that accuracies alone cannot fill."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import List, Optional, Union

import numpy as np

from ..apis.predict_split import open_loader, open_trained, predict_logits
from ..evaluation import AttributeReport, mean_or_none, score_attributes
from ..label_conflicts import predict_without_conflicts
from .work_dir import _attribute_groups


@dataclass(frozen=True)
class SplitPredictions:
    """A model's predictions for N images.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        identity: ``(N, )``, -1 for unknown.
        thresholds: ``(L, )``; probabilities at or above them are positive predictions.
        paths: The images' paths.
        classes: The L attribute names.
        groups: Groups of attributes, dicts of ``name`` and ``labels``.
        report: Their scores.
    """

    probabilities: np.ndarray
    targets: np.ndarray
    identity: np.ndarray
    thresholds: np.ndarray
    paths: List[str]
    classes: List[str]
    groups: List[dict]
    report: AttributeReport

    @property
    def predicted(self) -> np.ndarray:
        """Booleans ``(N, L)``."""
        return self.probabilities >= self.thresholds

    @cached_property
    def consistent_accuracy(self) -> Optional[float]:
        """The mean accuracy in percent of labels without conflicts."""
        labels = predict_without_conflicts(self.probabilities, self.thresholds, self.classes)
        return mean_or_none(score_attributes(labels.astype(float), self.targets)['accuracy'])

    @cached_property
    def names(self) -> List[str]:
        """The images' paths relative to their common directory."""
        folder = os.path.commonpath([os.path.dirname(path) for path in self.paths])
        return [os.path.relpath(path, folder) if folder else path for path in self.paths]


def predict_test_split(checkpoint: Union[str, Path], data_root: Optional[str] = None) -> SplitPredictions:
    """Predicts the test split of the config stored in a checkpoint.

    Args:
        checkpoint: The checkpoint file.
        data_root: The dataset directory, see :func:`~imcnn_plugin.engine.config.localize_data`.

    Raises:
        DataError: The checkpoint or the dataset cannot be read.
        ConfigError: The model predicts no attributes, or the config has no test split.
    """
    trained, cfg = open_trained(checkpoint, data_root)
    loader = open_loader(cfg, 'test_dataloader')
    logits, targets, identity = predict_logits(trained, loader)
    dataset, head = loader.dataset, trained.head
    thresholds = head.thresholds.cpu().numpy()
    groups = _attribute_groups(cfg)
    probabilities = trained.probabilities(logits)
    return SplitPredictions(
        probabilities,
        targets,
        identity,
        thresholds,
        [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))],
        head.classes,
        groups,
        AttributeReport.from_scores(
            probabilities, targets, identity, head.classes, groups, thresholds, dataset.metainfo
        ),
    )
