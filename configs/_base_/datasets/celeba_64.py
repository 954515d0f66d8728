# Small images for two cores: FacePreprocessor crops them to 64x64.
_base_ = './celeba.py'

pipeline = [
    dict(type='LoadFaceFromFile'),
    dict(type='Resize', scale=(72, 72), interpolation='area'),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=pipeline))
