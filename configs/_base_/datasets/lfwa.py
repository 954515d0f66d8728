# LFW's images show more around a face than CelebA's: they are center-cropped, then resized and batched as for CelebA.
_base_ = './celeba.py'

data_root = '{{$LFWA_ROOT:data/lfwa}}'
load, resize, pack = _base_.pipeline
# Width and height, for images of 250 x 250 pixels. Images that were already cropped to this size stay unchanged.
cut = dict(type='CenterCrop', crop_size=(170, 208))
dataset = dict(_delete_=True, type='LFWA', data_root=data_root, protocol='halves', pipeline=[load, cut, resize, pack])

train_dataloader = dict(dataset=dict(dataset, split='train'))
# LFWA has no validation split.
val_dataloader = dict(dataset=dict(dataset, split='test'))
# The paper tests on the whole dataset (section 4.1).
test_dataloader = dict(dataset=dict(dataset, protocol='whole'))
del dataset, load, cut, resize, pack
