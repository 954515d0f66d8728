# mmaction2's TSN on mmpretrain's ResNet-18 of a quarter of the width: the identity-stable attributes of a face from
# the frames of a video, on the scenes of projects/face_scenes.py.
_base_ = ['mmaction::_base_/default_runtime.py']
from imcnn_plugin.attributes import IDENTITY_STABLE, NINE_GROUPS

custom_imports = dict(imports=['imcnn_plugin', 'attribute_video_head'])

groups = [
    dict(name=group['name'], labels=[label for label in group['labels'] if label in IDENTITY_STABLE])
    for group in NINE_GROUPS
]
model = dict(
    type='Recognizer2D',
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW',
    ),
    backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=16, stem_channels=16),
    cls_head=dict(
        type='AttributeVideoHead', classes=IDENTITY_STABLE, groups=groups, in_channels=128, hidden_dims=(64,)
    ),
)

num_classes = len(IDENTITY_STABLE)
data_root = '{{$SCENES:data/scenes}}/'


def dataloader(split):
    return dict(
        batch_size=8,
        num_workers=1,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
        dataset=dict(
            type='RawframeDataset',
            ann_file=f'{data_root}{split}.txt',
            data_prefix=dict(img=f'{data_root}frames'),
            multi_class=True,
            num_classes=num_classes,
            test_mode=split != 'train',
            pipeline=[
                dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=4, test_mode=split != 'train'),
                dict(type='RawFrameDecode'),
                dict(type='FormatShape', input_format='NCHW'),
                # mmaction2's multi-hot vector of the video's labels.
                dict(type='KeyMapper', transforms=[], remapping=dict(label='gt_score')),
                dict(type='PackActionInputs', algorithm_keys=('gt_score',)),
            ],
        ),
    )


train_dataloader, val_dataloader, test_dataloader = map(dataloader, ('train', 'val', 'test'))
val_evaluator = dict(type='mmpretrain.PerAttributeAccuracy', classes=IDENTITY_STABLE)
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=20, val_interval=20)
val_cfg, test_cfg = dict(type='ValLoop'), dict(type='TestLoop')
randomness = dict(seed=0)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
del IDENTITY_STABLE, NINE_GROUPS, dataloader
