# MCNN (Hand & Chellappa 2016, arXiv 1604.07360).
_base_ = []
from imcnn_plugin.attributes import ATTRIBUTES, FIRST_SPLIT, NINE_GROUPS

model = dict(
    type='ImageClassifier',
    # Subtracts the mean per channel of 2,025 images of CelebA. Crops are random in training and centered in testing.
    # Xavier initialization needs inputs of unit scale; otherwise SGD diverges at this learning rate.
    data_preprocessor=dict(type='FacePreprocessor', mean=(128.6, 108.5, 97.9), std=(64.0, 64.0, 64.0), crop_size=227),
    backbone=dict(type='MCNN', num_slices=len(FIRST_SPLIT)),
    head=dict(
        type='JointHead',
        attr_head=dict(
            type='GroupedMultiLabelHead',
            sync_avg_factor=True,
            classes=ATTRIBUTES,
            groups=NINE_GROUPS,
            in_channels=300 * len(FIRST_SPLIT),
            num_slices=len(FIRST_SPLIT),
            in_size=(2, 2),
            hidden_dims=(512, 512),
            dropout=0.5,
        ),
    ),
)
del ATTRIBUTES, FIRST_SPLIT, NINE_GROUPS
