# A ResNet-18 of mmpretrain with a grouped head on labels of your own. draw_shapes.py makes the data.
default_scope = 'mmpretrain'
custom_imports = dict(imports=['imcnn_plugin'], allow_failed_imports=False)

data_root = 'shapes'
model = dict(
    type='ImageClassifier',
    # Normalizes, and flips in training.
    data_preprocessor=dict(type='FacePreprocessor', flip_prob=0.5),
    backbone=dict(type='ResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='GroupedMultiLabelHead',
        # The dataset reads these columns, and the metric reports these groups.
        classes=['tilted', 'hollow', 'red', 'blue', 'striped', 'large'],
        # Each label is in exactly one group; a group has its own layers.
        groups=[
            dict(name='form', labels=['tilted', 'hollow']),
            dict(name='color', labels=['red', 'blue']),
            dict(name='rest', labels=['striped', 'large']),
        ],
        in_channels=512,
        hidden_dims=(64,),
    ),
)

dataset = dict(
    type='AttributeCSV',
    data_root=data_root,
    ann_file='labels.csv',
    data_prefix='pictures',
    split_column='part',
    pipeline=[
        dict(type='LoadFaceFromFile'),
        dict(type='Resize', scale=(64, 64)),
        dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
    ],
)
loader = dict(num_workers=1, collate_fn=dict(type='default_collate'))
train_dataloader = dict(
    batch_size=32,
    # With the loop and the last three hooks below, an interrupted run continues as if it had not been stopped.
    sampler=dict(type='ResumableSampler', shuffle=True),
    dataset=dict(split='train', **dataset),
    **loader,
)
evaluation = dict(batch_size=128, sampler=dict(type='DefaultSampler', shuffle=False), **loader)
val_dataloader = dict(dataset=dict(split='val', **dataset), **evaluation)
test_dataloader = dict(dataset=dict(split='test', **dataset), **evaluation)
val_evaluator = test_evaluator = dict(type='PerAttributeAccuracy')
del dataset, loader, evaluation

optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01))
param_scheduler = dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=5, val_interval=1)
val_cfg = dict()
test_cfg = dict()

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=10),
    checkpoint=dict(type='RunCheckpointHook', interval=1, max_keep_ckpts=1, save_best='attr/mean_accuracy'),
    # Do the classes of the head and of the file match?
    data_model_check=dict(type='DataModelCheckHook'),
    # The table of labels at the end.
    attribute_report=dict(type='AttributeReportHook'),
    step_seed=dict(type='StepSeedHook'),
    finite_loss=dict(type='FiniteLossHook'),
    interrupt=dict(type='InterruptHook'),
)
log_processor = dict(type='BriefLogProcessor')
randomness = dict(seed=0)
