"""The networks: backbones, heads, losses and the data preprocessor, registered with mmpretrain."""

from .anet import ANet
from .aux_multi_label_head import AuxMultiLabelHead
from .batch_fields import batch_field, batch_identity, batch_labels, multi_hot, set_scores, to_device
from .face_preprocessor import FacePreprocessor
from .features import flatten_features
from .grouped_linear import GroupedLinear
from .grouped_multi_label_head import GroupedMultiLabelHead
from .identity_head import IdentityHead
from .imcnn import IMCNN
from .imcnn_dense import DenseBlock, IMCNNDense
from .joint_head import JointHead
from .lnet import LNet
from .locally_connected import LocallyConnected2d
from .losses import JointLoss, identity_loss, multi_label_loss, valid_count
from .maxout_dense_neck import MaxoutDenseNeck
from .mcnn import MCNN
from .mix_known import mix_known

__all__ = [
    'ANet', 'AuxMultiLabelHead', 'DenseBlock', 'FacePreprocessor', 'GroupedLinear', 'GroupedMultiLabelHead',
    'IMCNN', 'IMCNNDense', 'IdentityHead', 'JointHead', 'JointLoss', 'LNet', 'LocallyConnected2d', 'MCNN',
    'MaxoutDenseNeck', 'batch_field', 'batch_identity', 'batch_labels', 'flatten_features', 'identity_loss',
    'mix_known', 'multi_hot', 'multi_label_loss', 'set_scores', 'to_device', 'valid_count'
]  # fmt: skip
