from .aux_multi_label_head import AuxMultiLabelHead
from .dense_block import DenseBlock
from .face_preprocessor import FacePreprocessor
from .grouped_linear import GroupedLinear
from .grouped_multi_label_head import GroupedMultiLabelHead
from .identity_head import IdentityHead
from .imcnn import IMCNN
from .imcnn_dense import IMCNNDense
from .joint_head import JointHead
from .joint_loss import JointLoss
from .maxout_dense_neck import MaxoutDenseNeck
from .mcnn import MCNN

__all__ = [
    'AuxMultiLabelHead',
    'DenseBlock',
    'FacePreprocessor',
    'GroupedLinear',
    'GroupedMultiLabelHead',
    'IdentityHead',
    'IMCNN',
    'IMCNNDense',
    'JointHead',
    'JointLoss',
    'MaxoutDenseNeck',
    'MCNN',
]
