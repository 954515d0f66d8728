"""Attributes of each detected face in mmdet's two-stage detectors; see docs/other_projects.md."""

from typing import List, Optional, Sequence

import numpy as np
import torch
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import PackDetInputs
from mmdet.models import StandardRoIHead
from mmdet.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from mmdet.structures.bbox import bbox2roi, bbox_overlaps, scale_boxes
from mmengine.structures import InstanceData

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.evaluation import PerAttributeAccuracy


@MODELS.register_module()
class AttributeRoIHead(StandardRoIHead):
    """mmdet's RoI head with attributes in the place of masks: for each positive proposal in training, each detection
    in testing.

    Args:
        attr_roi_extractor: Config of the RoI extractor.
        attr_head: Config of a :class:`~imcnn_plugin.models.GroupedMultiLabelHead`.
        **kwargs: Those of mmdet's ``StandardRoIHead`` without a mask head.

    ``gt_instances`` have ``gt_score`` ``(number of faces, L)``: 1, 0, or -1 for unknown. ``pred_instances`` get
    ``pred_score`` ``(number of detections, L)``, and their metainfo gets ``thresholds`` ``(L, )``.
    """

    def __init__(self, attr_roi_extractor: dict, attr_head: dict, **kwargs):
        super().__init__(mask_roi_extractor=attr_roi_extractor, mask_head=attr_head, **kwargs)

    def mask_loss(self, x, sampling_results, bbox_feats, batch_gt_instances) -> dict:
        """``loss_attr`` of the positive proposals; 0 without any."""
        rois = bbox2roi([result.pos_priors for result in sampling_results])
        target = torch.cat(
            [gt.gt_score[result.pos_assigned_gt_inds] for gt, result in zip(batch_gt_instances, sampling_results)]
        )
        loss = self.mask_head.loss_by_feat(self._mask_forward(x, rois)['mask_preds'], target)
        return dict(loss_mask=dict(loss_attr=loss['loss']))

    def predict_mask(self, x, batch_img_metas, results_list, rescale: bool = False) -> List[InstanceData]:
        """Predicts the attributes in the detected boxes."""
        logits = self._mask_forward(x, bbox2roi([result.bboxes for result in results_list]))['mask_preds']
        for result, rows, meta in zip(results_list, logits.split([*map(len, results_list)]), batch_img_metas):
            self.mask_head.predict_by_feat(rows, result)
            if rescale:
                result.bboxes = scale_boxes(result.bboxes, [1 / factor for factor in meta['scale_factor']])
        return results_list


@DATASETS.register_module()
class FaceCocoDataset(CocoDataset):
    """Faces with attributes, from a file of :func:`~imcnn_plugin.datasets.write_coco`.

    A record also has ``gt_attributes`` ``(number of faces, L)``, int8: 1, 0, or -1 for unknown. ``attributes`` in
    ``metainfo`` selects and orders L of the file's attributes.

    Raises:
        DataError: The file has no such attribute, or the number of values in an annotation differs.
    """

    METAINFO = dict(classes=('face',), palette=[(220, 20, 60)], attributes=ATTRIBUTES)

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Parses the record of a photo."""
        names = next((category.get('attributes', []) for category in self.coco.load_cats(self.cat_ids)), [])
        if missing := set(self.metainfo['attributes']) - set(names):
            raise DataError(f"{self.ann_file}: its category 'face' has no attributes {sorted(missing)}")
        columns = [names.index(name) for name in self.metainfo['attributes']]
        record, values = super().parse_data_info(raw_data_info), []
        for annotation in raw_data_info['raw_ann_info']:
            # Those that mmdet keeps.
            if super().parse_data_info(raw_data_info | dict(raw_ann_info=[annotation]))['instances']:
                values.append(annotation.get('attributes', []))
                if len(values[-1]) != len(names):
                    raise DataError(
                        f'{self.ann_file}: annotation {annotation["id"]} has {len(values[-1])} values for '
                        f'{len(names)} attributes'
                    )
        record['gt_attributes'] = np.array(values, np.int8).reshape(-1, len(names))[:, columns]
        return record


@TRANSFORMS.register_module()
class PackFaceInputs(PackDetInputs):
    """mmdet's ``PackDetInputs``, and ``gt_attributes`` as ``gt_score`` of the instances.

    Raises:
        ConfigError: A transform dropped or added boxes, as a random crop does, but not their attributes.
    """

    mapping_table = PackDetInputs.mapping_table | dict(gt_attributes='gt_score')

    def transform(self, results: dict) -> dict:
        """Packs the record of a photo."""
        boxes, attributes = (len(results.get(key, ())) for key in ('gt_bboxes', 'gt_attributes'))
        if boxes != attributes:
            raise ConfigError(
                f'{results["img_path"]}: {boxes} boxes are left of the {attributes} faces with attributes: remove '
                'transforms that drop or add boxes, such as RandomCrop, from the pipeline'
            )
        return super().transform(results)


@METRICS.register_module()
class FaceAttributeMetric(PerAttributeAccuracy):
    """:class:`~imcnn_plugin.evaluation.PerAttributeAccuracy` of the detected faces.

    Each labelled face is scored with the attributes of the detection that overlaps it most, if their IoU is at least
    ``iou_thr``. Faces that are not detected do not count: they lower ``CocoMetric``.

    Args:
        classes: Names of the attributes.
        iou_thr: The least IoU of a face and its detection.
        **kwargs: Those of ``PerAttributeAccuracy``.
    """

    def __init__(self, classes: Sequence[str], iou_thr: float = 0.5, **kwargs):
        super().__init__(classes=classes, **kwargs)
        self.iou_thr = iou_thr

    def process(self, data_batch: Optional[dict], data_samples: Sequence[dict]) -> None:
        """Collects the faces of a batch of photos that are detected."""
        faces = []
        for sample in data_samples:
            found, truth = sample['pred_instances'], sample['gt_instances']
            iou = bbox_overlaps(truth['bboxes'], found['bboxes'])
            # A first column of zeros: a photo may have no detection.
            best, index = torch.nn.functional.pad(iou, (1, 0)).max(1)
            matched = best >= self.iou_thr
            faces.append(
                dict(
                    pred_score=found['pred_score'][index[matched] - 1],
                    gt_score=truth['gt_score'][matched],
                    thresholds=found['thresholds'],
                )
            )
        super().process(data_batch, faces)
