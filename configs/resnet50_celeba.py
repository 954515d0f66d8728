# The grouped head on mmpretrain's ResNet-50, initialized with ImageNet weights (resnet50_8xb32_in1k), which are
# downloaded when training starts. To train from scratch: --cfg-options model.backbone.init_cfg=None
_base_ = [
    '_base_/datasets/celeba_224.py',
    '_base_/schedules/finetune_10e.py',
    '_base_/default_runtime.py',
]
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS

model = dict(
    type='ImageClassifier',
    # The ImageNet statistics that the weights were trained with.
    data_preprocessor=dict(
        type='FacePreprocessor', mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), flip_prob=0.5
    ),
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(3,),
        style='pytorch',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/resnet/'
            'resnet50_8xb32_in1k_20210831-ea4938fc.pth',
            prefix='backbone',
        ),
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='JointHead',
        attr_head=dict(
            type='GroupedMultiLabelHead',
            sync_avg_factor=True,
            classes=ATTRIBUTES,
            # Without slices, each group reads all 2,048 features.
            groups=[dict(name=group['name'], labels=group['labels']) for group in NINE_GROUPS],
            in_channels=2048,
            hidden_dims=(256,),
        ),
    ),
)
del ATTRIBUTES, NINE_GROUPS
