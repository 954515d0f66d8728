# mmsegmentation's FCN on a ResNet-18 of a quarter of the width, with 40 attributes of the image, on the scenes of
# projects/face_scenes.py.
_base_ = ['mmseg::_base_/models/fcn_r50-d8.py', 'mmseg::_base_/default_runtime.py']
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS

custom_imports = dict(imports=['imcnn_plugin', 'attribute_segmentor'])

model = dict(
    type='AttributeSegmentor',
    data_preprocessor=dict(size=(112, 112)),
    pretrained=None,
    backbone=dict(depth=18, base_channels=16, strides=(1, 2, 2, 1), dilations=(1, 1, 1, 1)),
    decode_head=dict(in_channels=128, channels=64, num_convs=1, num_classes=2),
    auxiliary_head=[
        dict(
            type='AttributeAuxiliaryHead',
            classes=ATTRIBUTES,
            groups=[dict(name=group['name'], labels=group['labels']) for group in NINE_GROUPS],
            in_channels=128,
            hidden_dims=(64,),
        )
    ],
)

data_root = '{{$SCENES:data/scenes}}/'
dataset = dict(
    type='AttributeSegDataset',
    data_root=data_root,
    data_prefix=dict(img_path='img_align_celeba', seg_map_path='masks'),
    metainfo=dict(classes=('background', 'head'), palette=[(0, 0, 0), (255, 255, 255)]),
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='PackSegInputs', meta_keys=('img_path', 'ori_shape', 'img_shape', 'pad_shape', 'gt_score')),
    ],
)


def dataloader(split):
    attributes = dict(type='mmpretrain.CelebAIdentity', data_root=data_root, split=split)
    return dict(
        batch_size=16,
        num_workers=1,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
        dataset=dict(dataset, attributes=attributes),
    )


train_dataloader, val_dataloader, test_dataloader = map(dataloader, ('train', 'val', 'test'))
val_evaluator = [dict(type='IoUMetric'), dict(type='mmpretrain.PerAttributeAccuracy', classes=ATTRIBUTES)]
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=True, max_epochs=5, val_interval=5)
val_cfg, test_cfg = dict(), dict()
randomness = dict(seed=0)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
log_processor = dict(by_epoch=True)
del ATTRIBUTES, NINE_GROUPS, dataloader
