# Images are resized and batched as for CelebA.
_base_ = './celeba.py'

data_root = '{{$LFWA_ROOT:data/lfwa}}'
dataset = dict(_delete_=True, type='LFWA', data_root=data_root, pipeline=_base_.pipeline)

train_dataloader = dict(dataset=dict(dataset, split='train'))
# LFWA has no validation split.
val_dataloader = dict(dataset=dict(dataset, split='test'))
# The paper tests on the whole of it (section 4.1).
test_dataloader = dict(dataset=dict(dataset, split='all'))
del dataset
