data_root = '{{$CELEBA_ROOT:data/celeba}}'

# FacePreprocessor flips and crops on the device.
pipeline = [
    dict(type='LoadFaceFromFile'),
    # Images are resized to 112x112 (section 4.1).
    dict(type='Resize', scale=(112, 112), interpolation='area'),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]

train_dataloader = dict(
    # Per process. The paper's total batch size is 64 (section 4.1).
    batch_size=64,
    num_workers=4,
    sampler=dict(type='ResumableSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='CelebAIdentity', data_root=data_root, protocol='official', split='train', pipeline=pipeline),
)
evaluation = dict(
    batch_size=256,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
)
val_dataloader = dict(
    dataset=dict(type='CelebAIdentity', data_root=data_root, protocol='official', split='val', pipeline=pipeline),
    **evaluation,
)
test_dataloader = dict(
    dataset=dict(type='CelebAIdentity', data_root=data_root, protocol='official', split='test', pipeline=pipeline),
    **evaluation,
)

# The groups are those of the attribute head.
val_evaluator = dict(type='PerAttributeAccuracy')
test_evaluator = dict(type='PerAttributeAccuracy')
del evaluation
