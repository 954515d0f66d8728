# Ten epochs for a network pretrained on ImageNet. The step size of AdamW does not grow with the loss, which is summed
# over 40 attributes.
optim_wrapper = dict(type='NonBlockingOptimWrapper', optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05))
param_scheduler = [
    # Warm up, since the head is initialized at random.
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=10, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64, enable=False)
