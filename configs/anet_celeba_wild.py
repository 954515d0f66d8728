# ANet on the faces that LNet-s located in photos: fine-tuned from anet_celeba_mini.py, with separate SVMs.
_base_ = './anet_celeba_mini.py'

data_root = '{{$CELEBA_ROOT:data/celeba}}'
pipeline = [
    dict(type='LoadFaceFromFile'),
    # Written by tools/train_lnets_anet.py; enlarged to the margin around the face in CelebA's aligned images.
    dict(type='CropToWindow', windows='work_dirs/lnets_anet/lnet_s/windows.csv', enlarge=(2.05, 1.86), shift=-0.14),
    dict(type='Resize', scale=(72, 72), interpolation='area'),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
loader = dict(
    num_workers=1,
    collate_fn=dict(type='default_collate'),
    dataset=dict(type='CelebAIdentity', data_root=data_root, data_prefix='img_celeba', pipeline=pipeline),
)
train_dataloader = loader
test_dataloader = loader
del loader
train_cfg = dict(max_epochs=4)
