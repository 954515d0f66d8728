# The backbone that resnet18_shapes.py has trained, with a new head for other labels.
_base_ = './resnet18_shapes.py'

model = dict(
    backbone=dict(
        # The path of a checkpoint, or its address.
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/resnet18_shapes/epoch_5.pth', prefix='backbone')
    ),
    head=dict(
        classes=['large', 'striped'],
        groups=[dict(name='size', labels=['large']), dict(name='look', labels=['striped'])],
    ),
)

optim_wrapper = dict(optimizer=dict(lr=2e-4))
train_cfg = dict(max_epochs=2)
