from typing import List, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmpretrain.registry import METRICS

from ..errors import ConfigError
from .attribute_report import AttributeReport


@METRICS.register_module()
class PerAttributeAccuracy(BaseMetric):
    """Mean accuracy over attributes, as in the paper's Table 3, and the accuracy of each attribute, in percent.

    Every image counts once, whatever the number of processes. Predictions stay on the device until the end.

    Args:
        groups: Groups of attributes, dicts of ``name`` and ``labels``, whose mean accuracies are reported too.
        thr: Decision threshold for samples without ``thresholds`` ``(L, )`` of the model.
        prefix: Prefix of the metric names.

    :meth:`evaluate` returns ``attr/mean_accuracy``, ``attr/mean_balanced_accuracy``, ``attr/mean_f1``, ``attr/mAP``,
    ``attr/majority_baseline`` and ``attr/accuracy/<Attribute_Name>``. In the main process it also sets
    :attr:`report`, an :class:`~imcnn_plugin.evaluation.AttributeReport`.

    The samples' ``pred_score`` and ``gt_score`` are ``(L, )``, or ``(N, L)`` in a stacked sample; ``identity`` is
    optional.
    """

    default_prefix = 'attr'

    def __init__(self, groups: Sequence[dict] = (), thr: float = 0.5, prefix: Optional[str] = None):
        # Gathers results by communication; 'cpu' would need a shared file system.
        super().__init__(collect_device='gpu', prefix=prefix)
        self.groups = groups
        self.thr = thr
        self.thresholds: Union[float, np.ndarray] = thr
        self.report: Optional[AttributeReport] = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collects scores, targets and identities of a batch."""
        for sample in data_samples:
            score, target = torch.atleast_2d(sample['pred_score']), torch.atleast_2d(sample['gt_score'])
            identity = torch.atleast_1d(torch.as_tensor(sample.get('identity', -1))).expand(len(score))
            self.results.append((score.float(), target.to(torch.int8), identity))
            # The model's, the same for all images.
            self.thresholds = sample.get('thresholds', self.thr)

    def evaluate(self, size: int) -> dict:
        """Scores the ``size`` images of the dataset.

        Raises:
            ConfigError: The attributes of model, groups and dataset do not match.
        """
        scores, targets, identity = (torch.cat(field).cpu().numpy() for field in zip(*self.results))
        # Checked in every process: one that raised alone would leave the others waiting.
        classes = (self.dataset_meta or {}).get('classes')
        if classes is None:
            raise ConfigError("the dataset's metainfo has no 'classes': add the names of its labels")
        if len(classes) != scores.shape[1]:
            raise ConfigError(
                f'the model predicts {scores.shape[1]} attributes, the dataset has {len(classes)}: build the head '
                "with the dataset's classes"
            )
        if unknown := [label for group in self.groups for label in group['labels'] if label not in classes]:
            raise ConfigError(f'the groups of PerAttributeAccuracy have labels missing from the dataset: {unknown}')
        # An entry per image: mmengine gathers them from all processes in the order of the dataset.
        self.results = list(zip(scores, targets, identity))
        return super().evaluate(size)

    def compute_metrics(self, results: List[tuple]) -> dict:
        """Metrics from the scores ``(L, )``, targets ``(L, )`` and identities of N images."""
        scores, targets, identity = map(np.stack, zip(*results))
        thresholds = torch.as_tensor(self.thresholds).cpu().numpy()
        meta = self.dataset_meta
        self.report = AttributeReport.from_scores(
            scores, targets, identity, meta['classes'], self.groups, thresholds, meta
        )
        means = self.report.means
        metrics = dict(
            mean_accuracy=means['accuracy'],
            mean_balanced_accuracy=means['balanced_accuracy'],
            mean_f1=means['f1'],
            mAP=means['average_precision'],
            majority_baseline=means['majority_baseline'],
            **{f'accuracy/{name}': row['accuracy'] for name, row in self.report.attributes.items()},
        )
        # Undefined values can be neither logged nor plotted.
        return {key: value for key, value in metrics.items() if value is not None}
