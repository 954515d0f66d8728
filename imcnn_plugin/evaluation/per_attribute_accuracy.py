import logging
from typing import List, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_world_size
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpretrain.registry import METRICS

from ..errors import ConfigError
from ..models.batch_fields import batch_labels
from .attribute_report import AttributeReport

# Metric name to its name in the report.
_MEANS = dict(
    mean_accuracy='accuracy',
    mean_balanced_accuracy='balanced_accuracy',
    mean_f1='f1',
    mAP='average_precision',
    majority_baseline='majority_baseline',
)


@METRICS.register_module()
class PerAttributeAccuracy(BaseMetric):
    """Mean accuracy over attributes, as in the paper's Table 3, and the accuracy of each attribute, in percent.

    Every image counts once, with any number of processes. Predictions stay on the device until the end.

    Args:
        groups: Groups of attributes, dicts of ``name`` and ``labels``, whose mean accuracies are reported too.
        classes: Names of the L labels. Defaults to the dataset's ``classes``; must be set if these are something else,
            as in detection or segmentation.
        thr: Decision threshold for samples without the model's ``thresholds`` ``(L, )``.
        prefix: Prefix of the metric names.
        collect_device: As in mmengine: 'gpu' gathers results by communication, also between CPU processes; 'cpu'
            requires a shared file system. Defaults to 'gpu', or to 'cpu' if there is a ``collect_dir``.
        collect_dir: The shared folder.

    :meth:`evaluate` returns ``attr/mean_accuracy``, ``attr/mean_balanced_accuracy``, ``attr/mean_f1``, ``attr/mAP``,
    ``attr/majority_baseline`` and ``attr/accuracy/<Attribute_Name>``. In the main process it also sets
    :attr:`report`, an :class:`~imcnn_plugin.evaluation.AttributeReport`.

    A sample has ``pred_score`` ``(L, )``, and ``gt_score`` of the same shape or the indices ``gt_label``. With shape
    ``(R, L)``, the sample holds R predictions with their own labels, such as the faces in one image, which count R
    times. If all samples together have as many rows as the dataset has images, each row is one image instead.
    ``identity`` is optional.

    Raises:
        ConfigError: A group has no name or no labels.
    """

    default_prefix = 'attr'

    def __init__(
        self,
        groups: Sequence[dict] = (),
        classes: Optional[Sequence[str]] = None,
        thr: float = 0.5,
        prefix: Optional[str] = None,
        collect_device: Optional[str] = None,
        collect_dir: Optional[str] = None,
    ):
        super().__init__(collect_device or ('cpu' if collect_dir else 'gpu'), prefix, collect_dir)
        for group in groups:
            if not isinstance(group, dict) or not {'name', 'labels'} <= group.keys():
                raise ConfigError(f"groups of PerAttributeAccuracy: {group!r} is no dict(name='...', labels=['...'])")
        self.groups = groups
        self.classes = classes
        self.thr = thr
        self.thresholds: Union[float, np.ndarray] = thr
        self.report: Optional[AttributeReport] = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collects scores, targets and identities of a batch.

        Raises:
            ConfigError: The shapes of predictions and labels differ.
        """
        for sample in data_samples:
            score = sample['pred_score']
            [target] = batch_labels([sample], score.size(-1), score.device)
            if score.dim() not in (1, 2) or score.shape != target.shape:
                raise ConfigError(
                    f'pred_score is {tuple(score.shape)} and the labels are {tuple(target.shape)}: both must be '
                    '(attributes, ) for an image, or (rows, attributes) with labels for each row'
                )
            score, target = torch.atleast_2d(score), torch.atleast_2d(target)
            identity = torch.atleast_1d(torch.as_tensor(sample.get('identity', -1))).expand(len(score))
            self.results.append((score.float(), target.to(torch.int8), identity))
            # The thresholds of the model, the same for all images.
            self.thresholds = sample.get('thresholds', self.thr)

    def evaluate(self, size: int) -> dict:
        """Scores the ``size`` images of the dataset.

        Raises:
            ConfigError: The attributes of model, groups and dataset do not match, or predictions do not match images.
        """
        shapes = [score.shape for score, _, _ in self.results]
        # Check in every process: if only one raised, the others would wait forever.
        found = all_gather_object((len(shapes), sum(rows for rows, _ in shapes), {labels for _, labels in shapes}))
        samples, rows, labels = [*zip(*found)]
        self._check_labels(set().union(*labels))
        self._check_groups()
        images = [rows for rows, _ in shapes]
        # The dataset is padded to the same number of images in each process.
        if sum(samples) < size:
            if sum(rows) >= size + get_world_size():
                raise ConfigError(
                    f'{sum(samples)} samples with {sum(rows)} predictions are not those of {size} images: each sample '
                    'must be one image, or each prediction'
                )
            if sum(rows) < size:
                print_log(f'Only {sum(rows)} of the {size} images were evaluated.', 'current', logging.WARNING)
            images = [1] * sum(images)
        if shapes:
            fields = (torch.cat(field).cpu().numpy() for field in zip(*self.results))
            # One entry per image, which mmengine gathers from all processes in dataset order.
            self.results = list(zip(*(np.split(field, np.cumsum(images)[:-1]) for field in fields)))
        return super().evaluate(size)

    def _check_labels(self, found: set) -> None:
        """Raises ConfigError if predictions with these numbers of labels do not fit the dataset."""
        classes = self._classes()
        if found != {len(classes)}:
            raise ConfigError(
                f'the model predicts {" or ".join(map(str, sorted(found))) or "no"} attributes, {self._source()} has '
                f'{len(classes)}: build the head with these classes, or set classes of PerAttributeAccuracy'
            )

    def metric_names(self) -> List[str]:
        """The keys that :meth:`evaluate` returns if every metric is defined.

        Raises:
            ConfigError: There are no classes, or the groups have labels that are not classes.
        """
        self._check_groups()
        names = [*_MEANS, *(f'accuracy/{name}' for name in self._classes())]
        return [f'{self.prefix}/{name}' for name in names]

    def _check_groups(self) -> None:
        classes = self._classes()
        if unknown := [label for group in self.groups for label in group['labels'] if label not in classes]:
            raise ConfigError(
                f'the groups of PerAttributeAccuracy have labels missing from {self._source()}: {unknown}'
            )

    def _source(self) -> str:
        return 'the dataset' if self.classes is None else 'its classes'

    def _classes(self) -> Sequence[str]:
        classes = (self.dataset_meta or {}).get('classes') if self.classes is None else self.classes
        if classes is None:
            raise ConfigError(
                "the dataset's metainfo has no 'classes': add the names of its labels, or set classes of "
                'PerAttributeAccuracy'
            )
        return classes

    def compute_metrics(self, results: List[tuple]) -> dict:
        """Computes metrics from scores ``(R, L)``, targets ``(R, L)`` and identities ``(R, )`` of each of N images."""
        scores, targets, identity = map(np.concatenate, zip(*results))
        thresholds = torch.as_tensor(self.thresholds).cpu().numpy()
        self.report = AttributeReport.from_scores(
            scores, targets, identity, self._classes(), self.groups, thresholds, self.dataset_meta or {}
        )
        self.report.num_images = len(results)
        means = self.report.means
        metrics = dict(
            **{name: means[key] for name, key in _MEANS.items()},
            **{f'accuracy/{name}': row['accuracy'] for name, row in self.report.attributes.items()},
        )
        # Undefined values can be neither logged nor plotted.
        return {key: value for key, value in metrics.items() if value is not None}
