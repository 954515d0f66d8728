# MCNN with its own input, batch and number of epochs (Hand & Chellappa 2016). The learning rate is not published.
_base_ = [
    '_base_/models/mcnn.py',
    '_base_/datasets/celeba.py',
    '_base_/schedules/paper.py',
    '_base_/default_runtime.py',
]

pipeline = [
    dict(type='LoadFaceFromFile'),
    # FacePreprocessor crops this to 227x227.
    dict(type='Resize', scale=(256, 256), interpolation='area'),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
train_dataloader = dict(batch_size=100, dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))

train_cfg = dict(max_epochs=22)
auto_scale_lr = dict(base_batch_size=100)
