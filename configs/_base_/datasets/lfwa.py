# LFW's pictures show more around a face than CelebA's: the middle is cut out, then resized and batched as for CelebA.
_base_ = './celeba.py'

data_root = '{{$LFWA_ROOT:data/lfwa}}'
load, resize, pack = _base_.pipeline
# Width and height of 250 x 250 pixels. In a picture of which as much was cut off before, it takes all.
cut = dict(type='CenterCrop', crop_size=(170, 208))
dataset = dict(_delete_=True, type='LFWA', data_root=data_root, pipeline=[load, cut, resize, pack])

train_dataloader = dict(dataset=dict(dataset, split='train'))
# LFWA has no validation split.
val_dataloader = dict(dataset=dict(dataset, split='test'))
# The paper tests on the whole of it (section 4.1).
test_dataloader = dict(dataset=dict(dataset, protocol='whole'))
del dataset, load, cut, resize, pack
