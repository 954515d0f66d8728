# IMCNN of Table 2.
_base_ = []
from imcnn_plugin.attributes import ATTRIBUTES, FIRST_SPLIT, NINE_GROUPS

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='FacePreprocessor'),
    backbone=dict(type='IMCNN', num_slices=len(FIRST_SPLIT)),
    head=dict(
        type='JointHead',
        attr_head=dict(
            type='GroupedMultiLabelHead',
            sync_avg_factor=True,
            classes=ATTRIBUTES,
            groups=NINE_GROUPS,
            in_channels=512 * len(FIRST_SPLIT),
            num_slices=len(FIRST_SPLIT),
            in_size=(7, 7),
            hidden_dims=(1024, 1024),
        ),
        id_head=dict(
            type='IdentityHead',
            sync_avg_factor=True,
            # Taken from the training set.
            num_identities='auto',
            in_channels=512 * len(FIRST_SPLIT),
            in_size=(7, 7),
            # Table 1 has an fc layer of 512 before the softmax; None is the direct mapping described in the text.
            embedding_dims=512,
        ),
        # Section 4.2: lambda = 1 is best.
        loss=dict(type='JointLoss', id_weight=1.0),
    ),
)
del ATTRIBUTES, FIRST_SPLIT, NINE_GROUPS
