# IMCNN-Dense (Table 1 of the paper) on CelebA. The input size of 224x224 follows from the 112x112 after the
# stem. The schedule is that of IMCNN.
_base_ = [
    '_base_/models/imcnn_dense.py',
    '_base_/datasets/celeba.py',
    '_base_/schedules/paper.py',
    '_base_/default_runtime.py',
]

pipeline = [
    dict(type='LoadFaceFromFile'),
    dict(type='Resize', scale=(224, 224), interpolation='area'),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
val_dataloader = dict(dataset=dict(pipeline=pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
