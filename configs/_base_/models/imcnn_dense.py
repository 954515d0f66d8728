# IMCNN-Dense of Table 1, with the four spatial groups of section 3.1.
_base_ = []
from imcnn_plugin.attributes import ATTRIBUTES, FOUR_GROUPS

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='FacePreprocessor'),
    backbone=dict(type='IMCNNDense', num_slices=len(FOUR_GROUPS)),
    head=dict(
        type='JointHead',
        # Global average pooling of each group's map, then a linear layer to its attributes.
        attr_head=dict(
            type='GroupedMultiLabelHead',
            sync_avg_factor=True,
            classes=ATTRIBUTES,
            groups=FOUR_GROUPS,
            in_channels=816 * len(FOUR_GROUPS),
            num_slices=len(FOUR_GROUPS),
        ),
        # The face recognition block: maxout, dense block, average pooling as in DenseNet, and an fc layer of 512.
        id_head=dict(
            type='IdentityHead',
            sync_avg_factor=True,
            num_identities='auto',
            neck=dict(type='MaxoutDenseNeck', in_channels=816, num_slices=len(FOUR_GROUPS)),
            in_channels=944,
            embedding_dims=512,
        ),
        loss=dict(type='JointLoss', id_weight=1.0),
    ),
)
del ATTRIBUTES, FOUR_GROUPS
