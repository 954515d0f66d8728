# LFWA's halves, FOLD=1 exchanged, from a pack: python tools/data/pack.py LFWA_ROOT --out data/lfwa_72 --size 72
# A tenth of the training identities is held out for validation.
_base_ = './celeba_64_packed.py'

data_root = '{{$LFWA_PACK:data/lfwa_72}}'
load, resize, pack = _base_.pipeline
# As in lfwa.py.
cut = dict(type='CenterCrop', crop_size=(170, 208))
halves = dict(
    _delete_=True,
    type='PackedLFWA',
    data_root=data_root,
    protocol='halves',
    fold='{{$FOLD:0}}',
    pipeline=[load, cut, resize, pack],
)
train_dataloader = dict(dataset=dict(halves, split='fit'))
val_dataloader = dict(dataset=dict(halves, split='val'))
test_dataloader = dict(dataset=dict(halves, split='test'))
del halves, load, cut, resize, pack
