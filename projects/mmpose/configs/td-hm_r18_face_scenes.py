# mmpose's SimpleBaseline on a ResNet-18 of a quarter of the width: five landmarks and 40 attributes of each face, on
# the scenes of projects/face_scenes.py.
_base_ = ['mmpose::_base_/default_runtime.py']
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS

custom_imports = dict(imports=['imcnn_plugin', 'attribute_heatmap_head'])

codec = dict(type='MSRAHeatmap', input_size=(96, 96), heatmap_size=(24, 24), sigma=1)
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    backbone=dict(type='ResNet', depth=18, base_channels=16, stem_channels=16),
    head=dict(
        type='AttributeHeatmapHead',
        in_channels=128,
        out_channels=5,
        deconv_out_channels=(32, 32, 32),
        loss=dict(type='KeypointMSELoss', use_target_weight=True, loss_weight=100.0),
        decoder=codec,
        attributes=dict(
            type='mmpretrain.GroupedMultiLabelHead',
            classes=ATTRIBUTES,
            groups=[dict(name=group['name'], labels=group['labels']) for group in NINE_GROUPS],
            in_channels=128,
            hidden_dims=(64,),
        ),
    ),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True),
)

data_root = '{{$SCENES:data/scenes}}/'
names = ('left_eye', 'right_eye', 'nose', 'mouth_left', 'mouth_right')
mirrored = ('right_eye', 'left_eye', '', 'mouth_right', 'mouth_left')
metainfo = dict(
    dataset_name='face_scenes',
    keypoint_info={
        i: dict(name=name, id=i, color=[255, 0, 0], type='', swap=swap)
        for i, (name, swap) in enumerate(zip(names, mirrored))
    },
    skeleton_info={},
    joint_weights=[1.0] * 5,
    sigmas=[0.05] * 5,
)


def dataloader(split):
    keys = ('id', 'img_id', 'img_path', 'category_id', 'ori_shape', 'img_shape', 'input_size', 'input_center')
    keys += ('input_scale', 'flip', 'flip_direction', 'flip_indices', 'raw_ann_info', 'gt_score')
    augment = [dict(type='RandomFlip'), dict(type='RandomBBoxTransform', rotate_factor=30)]
    return dict(
        batch_size=16,
        num_workers=1,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
        dataset=dict(
            type='AttributeCocoDataset',
            data_root=data_root,
            ann_file=f'{split}.json',
            data_prefix=dict(img='img_align_celeba/'),
            metainfo=metainfo,
            test_mode=split != 'train',
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale'),
                *(augment if split == 'train' else []),
                dict(type='TopdownAffine', input_size=codec['input_size']),
                *([dict(type='GenerateTarget', encoder=codec)] if split == 'train' else []),
                dict(type='PackPoseInputs', meta_keys=keys),
            ],
        ),
    )


train_dataloader, val_dataloader, test_dataloader = map(dataloader, ('train', 'val', 'test'))
val_evaluator = [
    dict(type='NME', norm_mode='keypoint_distance', keypoint_indices=[0, 1]),
    dict(type='mmpretrain.PerAttributeAccuracy', classes=ATTRIBUTES),
]
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=5, val_interval=5)
randomness = dict(seed=0)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
del ATTRIBUTES, NINE_GROUPS, dataloader
