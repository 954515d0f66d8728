"""Attributes of a video, in mmaction2's 2-D recognizers; see docs/other_projects.md."""

from mmaction.registry import MODELS

from imcnn_plugin.models import GroupedMultiLabelHead


@MODELS.register_module()
class AttributeVideoHead(GroupedMultiLabelHead):
    """The ``cls_head`` of a ``Recognizer2D``: logits are averaged over the frames of a video."""

    def loss(self, feats, data_samples, num_segs=1, loss_aux=None):
        return super().loss(feats, data_samples, num_segs)

    def predict(self, feats, data_samples, num_segs=1, fcn_test=False, loss_aux=None):
        # With fcn_test the features of all frames are one map.
        return super().predict(feats, data_samples, 1 if fcn_test else num_segs)
