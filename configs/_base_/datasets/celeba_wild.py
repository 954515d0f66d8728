# CelebA's original photos in the folder img_celeba; labels apply to the whole photo.
_base_ = './celeba.py'

data_root = '{{$CELEBA_ROOT:data/celeba}}'
# The longer side is resized to 96 pixels, and the image is padded to a square with grey.
pipeline = [
    dict(type='LoadFaceFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=True, interpolation='area'),
    dict(type='Pad', size=(96, 96), pad_val=dict(img=127)),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
# Random scale and position in training, so that the position carries no information.
train_pipeline = [
    dict(type='LoadFaceFromFile'),
    dict(type='Resize', scale=(144, 144), keep_ratio=True, interpolation='area'),
    dict(type='RandomResize', scale=(96, 96), ratio_range=(0.7, 1.3), keep_ratio=True),
    dict(type='RandomCrop', crop_size=96, pad_if_needed=True, pad_val=127),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
photos = dict(data_root=data_root, data_prefix='img_celeba')
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline, **photos))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=pipeline, **photos))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=pipeline, **photos))
del photos
