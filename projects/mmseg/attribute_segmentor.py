"""Attributes of an image beside its segmentation, in mmsegmentation's own models; see docs/other_projects.md."""

from pathlib import Path

from mmseg.datasets import BaseSegDataset
from mmseg.models import EncoderDecoder
from mmseg.registry import DATASETS, MODELS

from imcnn_plugin.models import GroupedMultiLabelHead


@MODELS.register_module()
class AttributeAuxiliaryHead(GroupedMultiLabelHead):
    """The last ``auxiliary_head`` of an :class:`AttributeSegmentor`."""

    def loss(self, feats, data_samples, train_cfg):
        return super().loss(feats, data_samples)


@MODELS.register_module()
class AttributeSegmentor(EncoderDecoder):
    """Also predicts attributes, from the feature maps of the whole image; so without sliding windows."""

    def predict(self, inputs, data_samples=None):
        feats = self.extract_feat(inputs)
        metas = [sample.metainfo for sample in data_samples or ()] or [dict(img_shape=inputs.shape[2:])]
        logits = self.decode_head.predict(feats, metas, self.test_cfg)
        data_samples = self.postprocess_result(logits, data_samples)
        return self.auxiliary_head[-1].predict(feats, data_samples)


@DATASETS.register_module()
class AttributeSegDataset(BaseSegDataset):
    """The images that one of our datasets lists, whose config is ``attributes``, with its ``gt_score``."""

    def __init__(self, attributes, **kwargs):
        self.attributes = DATASETS.build(attributes)
        super().__init__(**kwargs)

    def load_data_list(self):
        records = {Path(record['img_path']).name: record for record in super().load_data_list()}
        faces = ((Path(face['img_path']).name, face['gt_score']) for face in self.attributes.data_list)
        return [dict(records[name], gt_score=score) for name, score in faces]
