# A face detector with 40 attributes: Faster R-CNN with ResNet-18 and a narrow FPN, from scratch on the drawn photos of
# tools/data/make_photos.py, in minutes on two CPU cores. The folder of face_attributes.py must be in PYTHONPATH.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', 'mmdet::_base_/default_runtime.py']
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS

custom_imports = dict(imports=['imcnn_plugin', 'face_attributes'])
data_root = '{{$FACE_PHOTOS:data/drawn_photos}}/'

model = dict(
    backbone=dict(depth=18, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        type='AttributeRoIHead',
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=1),
        attr_roi_extractor=dict(
            type='SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=14, sampling_ratio=0),
            out_channels=64,
            featmap_strides=[4, 8, 16, 32],
        ),
        attr_head=dict(
            type='mmpretrain.GroupedMultiLabelHead',
            classes=ATTRIBUTES,
            # Without slices: each group reads all channels.
            groups=[dict(name=group['name'], labels=group['labels']) for group in NINE_GROUPS],
            in_channels=64,
            in_size=(14, 14),
            hidden_dims=(64,),
            dropout=0.5,
            # mmpretrain's. The default is the sum over attributes, beside which those of the boxes would be small.
            loss=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=0.1),
        ),
    ),
    # Photos have few faces: fewer proposals do.
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=200), rcnn=dict(max_per_img=20)),
)

resize = dict(type='Resize', scale=(224, 168), keep_ratio=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    resize,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackFaceInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    resize,
    # After resizing: boxes of the photo as it is.
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackFaceInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
dataset = dict(type='FaceCocoDataset', data_root=data_root, data_prefix=dict(img=''))
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, ann_file='train.json', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**dataset, ann_file='val.json', pipeline=test_pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CocoMetric', ann_file=data_root + 'val.json'),
    dict(type='FaceAttributeMetric', classes=ATTRIBUTES),
]
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01), clip_grad=dict(max_norm=10)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=50),
    dict(type='CosineAnnealingLR', begin=0, end=4, eta_min=1e-5, by_epoch=True, convert_to_iter_based=True),
]
randomness = dict(seed=0)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=1))
env_cfg = dict(mp_cfg=dict(opencv_num_threads=1))
del ATTRIBUTES, NINE_GROUPS
