from .face_preprocessor import FacePreprocessor
from .grouped_linear import GroupedLinear
from .grouped_multi_label_head import GroupedMultiLabelHead
from .identity_head import IdentityHead
from .imcnn import IMCNN
from .joint_head import JointHead
from .joint_loss import JointLoss
from .mcnn import MCNN

__all__ = [
    'FacePreprocessor',
    'GroupedLinear',
    'GroupedMultiLabelHead',
    'IdentityHead',
    'IMCNN',
    'JointHead',
    'JointLoss',
    'MCNN',
]
