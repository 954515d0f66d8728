"""The single predictions of a run, on which its report looks more closely than on percentages."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Union

import numpy as np
import torch
from mmengine.device import get_device

from ..apis.predict_split import open_loader, predict_part
from ..checkpoints.load_model import attribute_head, load_trained
from ..engine.config import data_config
from ..evaluation.attribute_scores import make_report
from .work_dir import groups_of


@dataclass(frozen=True)
class RunPredictions:
    """A model's predictions of N images.

    Args:
        probabilities: ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        identity: ``(N, )``, -1 for unknown.
        thresholds: ``(L, )``, the probabilities from which on a label is predicted.
        paths: Of the images.
        classes: The L names of the labels.
        groups: Dicts of ``name`` and ``labels``.
        report: Of :func:`~imcnn_plugin.evaluation.attribute_scores.make_report`.
    """

    probabilities: np.ndarray
    targets: np.ndarray
    identity: np.ndarray
    thresholds: np.ndarray
    paths: List[str]
    classes: List[str]
    groups: List[dict]
    report: dict

    @property
    def predicted(self) -> np.ndarray:
        """Booleans ``(N, L)``."""
        return self.probabilities >= self.thresholds

    @property
    def names(self) -> List[str]:
        """The images' names, with as much of their folders as tells them apart."""
        folder = os.path.commonpath([os.path.dirname(path) for path in self.paths])
        return [os.path.relpath(path, folder) if folder else path for path in self.paths]


def predict_test_part(checkpoint: Union[str, Path], data_root: Optional[str] = None) -> RunPredictions:
    """Predicts the test part of the config that a checkpoint holds.

    Args:
        checkpoint: The file.
        data_root: The data set's folder, see :func:`~imcnn_plugin.engine.config.data_config`.

    Raises:
        DataError: Checkpoint or data cannot be read.
        ConfigError: The model predicts no attributes, or the config has no test part.
    """
    model = load_trained(checkpoint, get_device())
    cfg = data_config(model._config, data_root)
    loader = open_loader(cfg, 'test_dataloader')
    logits, targets, identity = predict_part(model, loader)
    dataset, head = loader.dataset, attribute_head(model)
    probabilities = head.probabilities(torch.from_numpy(logits).to(head.thresholds.device)).cpu().numpy()
    thresholds = head.thresholds.cpu().numpy()
    groups = groups_of(cfg)
    about = {key: dataset.metainfo[key] for key in ('protocol', 'split', 'fold') if key in dataset.metainfo}
    report = make_report(probabilities, targets, identity, head.classes, groups, thresholds, about)
    return RunPredictions(
        probabilities,
        targets,
        identity,
        thresholds,
        [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))],
        head.classes,
        groups,
        dict(report, checksums=dataset.metainfo.get('checksums')),
    )
