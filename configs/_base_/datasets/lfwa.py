_base_ = []
from imcnn_plugin.attributes import NINE_GROUPS

data_root = '{{$LFWA_ROOT:data/lfwa}}'

# Flips and crops are FacePreprocessor's, on the device.
pipeline = [
    dict(type='LoadImageFromFile'),
    # Images are resized to 112x112 (section 4.1).
    dict(type='Resize', scale=(112, 112), interpolation='area'),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]

train_dataloader = dict(
    # Of one process, as for CelebA.
    batch_size=64,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='LFWA', data_root=data_root, split='train', pipeline=pipeline),
)
evaluation = dict(
    batch_size=256,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
)
# LFWA has no validation part.
val_dataloader = dict(
    dataset=dict(type='LFWA', data_root=data_root, split='test', pipeline=pipeline),
    **evaluation,
)
# The paper tests on the whole of it (section 4.1).
test_dataloader = dict(
    dataset=dict(type='LFWA', data_root=data_root, split='all', pipeline=pipeline),
    **evaluation,
)

val_evaluator = dict(type='PerAttributeAccuracy', groups=NINE_GROUPS)
test_evaluator = dict(type='PerAttributeAccuracy', groups=NINE_GROUPS)
del NINE_GROUPS, evaluation
