# The backbone that resnet18_shapes.py has trained, with a new head for other labels.
_base_ = './resnet18_shapes.py'

classes = ['large', 'striped']
groups = [dict(name='size', labels=['large']), dict(name='look', labels=['striped'])]

model = dict(
    backbone=dict(
        # The path of a checkpoint, or its address.
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/resnet18_shapes/epoch_5.pth', prefix='backbone')
    ),
    head=dict(classes=classes, groups=groups),
)
train_dataloader = dict(dataset=dict(classes=classes))
val_dataloader = dict(dataset=dict(classes=classes))
test_dataloader = dict(dataset=dict(classes=classes))
val_evaluator = dict(groups=groups)
test_evaluator = dict(groups=groups)

optim_wrapper = dict(optimizer=dict(lr=2e-4))
param_scheduler = dict(T_max=2)
train_cfg = dict(max_epochs=2)
