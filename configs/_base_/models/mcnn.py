# MCNN (Hand & Chellappa 2016, arXiv 1604.07360).
_base_ = []
from imcnn_plugin.attributes import ATTRIBUTES, FIRST_SPLIT, NINE_GROUPS

model = dict(
    type='ImageClassifier',
    # The training images' mean is subtracted, here that of each channel over 2,025 of CelebA's images; random crops in
    # training, the centre at test. A Xavier start wants inputs of size 1, without which SGD diverges at this rate.
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
