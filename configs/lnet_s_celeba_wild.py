# LNet-s of LNets+ANet: the same network as LNet-o, on the head and shoulders that LNet-o located.
_base_ = './lnet_o_celeba_wild.py'

# Written by tools/train_lnets_anet.py. LNet-o's window only shows the face, so it is enlarged.
head_and_shoulders = dict(
    type='CropToWindow', windows='work_dirs/lnets_anet/lnet_o/windows.csv', enlarge=(2.0, 1.8), shift=0.1
)
pack = dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity', 'window'))
pipeline = [
    dict(type='LoadFaceFromFile'),
    head_and_shoulders,
    dict(type='Resize', scale=(96, 96), keep_ratio=True, interpolation='area'),
    dict(type='Pad', size=(96, 96), pad_val=dict(img=127)),
    pack,
]
train_pipeline = [
    dict(type='LoadFaceFromFile'),
    head_and_shoulders,
    dict(type='Resize', scale=(144, 144), keep_ratio=True, interpolation='area'),
    dict(type='RandomResize', scale=(96, 96), ratio_range=(0.7, 1.3), keep_ratio=True),
    dict(type='RandomCrop', crop_size=96, pad_if_needed=True, pad_val=127),
    pack,
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(dataset=dict(pipeline=pipeline))
# Training starts from LNet-o.
optim_wrapper = dict(optimizer=dict(lr=0.01))
train_cfg = dict(max_epochs=3)
del pack, head_and_shoulders
