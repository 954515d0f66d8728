# Small images for two cores, from a pack: python tools/data/pack.py CELEBA_ROOT --out data/celeba_72 --size 72
_base_ = './celeba_64.py'

data_root = '{{$CELEBA_PACK:data/celeba_72}}'

loader = dict(
    num_workers=0,
    collate_fn=dict(type='packed_collate'),
    dataset=dict(type='PackedFaces', data_root=data_root),
)
train_dataloader = loader
val_dataloader = loader
test_dataloader = loader
del loader
