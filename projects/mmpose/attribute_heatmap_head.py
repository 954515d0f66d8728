"""Attributes of each person or face beside its keypoints, in mmpose's top-down models; see docs/other_projects.md."""

import numpy as np
from mmpose.datasets import CocoDataset
from mmpose.models import HeatmapHead
from mmpose.registry import DATASETS, MODELS


@MODELS.register_module()
class AttributeHeatmapHead(HeatmapHead):
    """``HeatmapHead`` with a second head, of config ``attributes``, on the same features."""

    def __init__(self, *args, attributes, **kwargs):
        super().__init__(*args, **kwargs)
        self.attributes = MODELS.build(attributes)

    def loss(self, feats, batch_data_samples, train_cfg={}):
        losses = super().loss(feats, batch_data_samples, train_cfg)
        return dict(losses, loss_attr=self.attributes.loss(feats, batch_data_samples)['loss'])

    def predict(self, feats, batch_data_samples, test_cfg={}):
        # With flip_test the features of the mirrored image are the second.
        self.attributes.predict(feats[0] if test_cfg.get('flip_test') else feats, batch_data_samples)
        return super().predict(feats, batch_data_samples, test_cfg)


@DATASETS.register_module()
class AttributeCocoDataset(CocoDataset):
    """COCO's format, with a list ``attributes`` of 1, 0, or -1 for unknown, in each annotation: ``gt_score``."""

    def parse_data_info(self, raw_data_info):
        info = super().parse_data_info(raw_data_info)
        return info and dict(info, gt_score=np.array(raw_data_info['raw_ann_info']['attributes']))
