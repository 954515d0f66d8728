# Images in the input size of networks pretrained on ImageNet.
_base_ = './celeba.py'

pipeline = [
    dict(type='LoadFaceFromFile'),
    dict(type='Resize', scale=(224, 224)),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
