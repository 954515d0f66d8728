# A standard alternative to IMCNN: the grouped head on mmpretrain's ResNet-18, with the same input and schedule.
_base_ = [
    '_base_/datasets/celeba_64.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='FacePreprocessor', flip_prob=0.5, crop_size=64),
    backbone=dict(type='ResNet', depth=18, num_stages=4, out_indices=(3,)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='JointHead',
        attr_head=dict(
            type='GroupedMultiLabelHead',
            sync_avg_factor=True,
            classes=ATTRIBUTES,
            # Without slices, each group reads all 512 features.
            groups=[dict(name=group['name'], labels=group['labels']) for group in NINE_GROUPS],
            in_channels=512,
            hidden_dims=(256,),
        ),
    ),
)
del ATTRIBUTES, NINE_GROUPS
