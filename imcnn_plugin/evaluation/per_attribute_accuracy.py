from typing import List, Optional, Sequence, Union

import numpy as np
import torch
from mmengine.dist import all_gather_object, broadcast_object_list, get_world_size, is_main_process
from mmengine.evaluator import BaseMetric
from mmpretrain.registry import METRICS

from ..errors import ConfigError
from .attribute_scores import make_report


def interleave(parts: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Undoes the dealing of ``size`` images to processes one by one and drops what filled up the last round.

    Args:
        parts: For each process, rows of the images that it saw.
        size: Number of images.
    """
    whole = np.empty((size, *parts[0].shape[1:]), parts[0].dtype)
    for rank, part in enumerate(parts):
        whole[rank :: len(parts)] = part[: len(range(rank, size, len(parts)))]
    return whole


@METRICS.register_module()
class PerAttributeAccuracy(BaseMetric):
    """Mean accuracy over attributes, as the paper's Table 3 has it, and 40 accuracies, in percent.

    Images are counted once each, however many processes share them. Predictions stay on the device until the end.

    Args:
        groups: Groups of attributes, dicts of ``name`` and ``labels``, whose mean accuracies are reported too.
        thr: An attribute with at least this score is predicted, where the samples bring no ``thresholds`` ``(L, )`` of
            the model.
        prefix: Of the keys.

    :meth:`evaluate` gives ``attr/mean_accuracy``, ``attr/mean_balanced_accuracy``, ``attr/mean_f1``, ``attr/mAP``,
    ``attr/majority_baseline`` and ``attr/accuracy/<Attribute_Name>``, and leaves all there is to say in :attr:`report`
    of the main process: a dict that JSON can hold, with None for what is undefined.

    It reads ``pred_score`` and ``gt_score``, ``(L, )`` of single samples or ``(N, L)`` of a stacked one, and
    ``identity`` where the samples have it.
    """

    default_prefix = 'attr'

    def __init__(self, groups: Sequence[dict] = (), thr: float = 0.5, prefix: Optional[str] = None):
        super().__init__(prefix=prefix)
        self.groups = groups
        self.thr = thr
        self.thresholds: Union[float, np.ndarray] = thr
        self.report: Optional[dict] = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            score, target = torch.atleast_2d(sample['pred_score']), torch.atleast_2d(sample['gt_score'])
            identity = torch.atleast_1d(torch.as_tensor(sample.get('identity', -1))).expand(len(score))
            self.results.append((score.float(), target.to(torch.int8), identity))
            # Those of the model, the same for all images.
            self.thresholds = sample.get('thresholds', self.thr)

    def evaluate(self, size: int) -> dict:
        """Scores the ``size`` images of the data set.

        Raises:
            ConfigError: The model, the groups and the data set do not speak of the same attributes.
        """
        # In every process, so that none is left waiting for one that failed.
        self._check_classes(self.results[0][0].size(1))
        parts = [torch.cat(field).cpu().numpy() for field in zip(*self.results)]
        self.results.clear()
        gathered = all_gather_object(parts) if get_world_size() > 1 else [parts]
        metrics = [None]
        if is_main_process():
            fields = [interleave(field, size) for field in zip(*gathered)]
            metrics = [{f'{self.prefix}/{key}': value for key, value in self.compute_metrics(fields).items()}]
        broadcast_object_list(metrics)
        return metrics[0]

    def _check_classes(self, num_predicted: int) -> None:
        classes = (self.dataset_meta or {}).get('classes')
        if classes is None:
            raise ConfigError("the data set's metainfo has no classes, the names of its labels")
        if len(classes) != num_predicted:
            raise ConfigError(
                f'the model predicts {num_predicted} attributes, the data set has {len(classes)}: build the head with '
                'the classes of the data set'
            )
        if strange := [label for group in self.groups for label in group['labels'] if label not in classes]:
            raise ConfigError(f'the groups of PerAttributeAccuracy name labels that the data set has not: {strange}')

    def compute_metrics(self, results: List[np.ndarray]) -> dict:
        """Metrics from scores ``(N, L)``, targets ``(N, L)`` and identities ``(N, )``."""
        meta = self.dataset_meta
        about = {key: meta[key] for key in ('protocol', 'split', 'fold') if key in meta}
        thresholds = torch.as_tensor(self.thresholds).cpu().numpy()
        self.report = make_report(*results, meta['classes'], self.groups, thresholds, about)
        means = self.report['means']
        metrics = dict(
            mean_accuracy=means['accuracy'],
            mean_balanced_accuracy=means['balanced_accuracy'],
            mean_f1=means['f1'],
            mAP=means['average_precision'],
            majority_baseline=means['majority_baseline'],
            **{f'accuracy/{name}': values['accuracy'] for name, values in self.report['attributes'].items()},
        )
        # What is undefined can be neither logged nor plotted.
        return {key: value for key, value in metrics.items() if value is not None}
