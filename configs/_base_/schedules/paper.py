# Section 4.1: SGD with learning rate 0.001 for batch size 64, "two times" lower "after every 10 epoches", interpreted
# as a tenth after epochs 10 and 20 of 30. Momentum and weight decay are not given; these are Caffe's usual values.
optim_wrapper = dict(
    type='NonBlockingOptimWrapper', optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=5e-4)
)
param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[10, 20], gamma=0.1)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=30, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64, enable=False)
