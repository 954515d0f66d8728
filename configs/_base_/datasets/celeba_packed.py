# CelebA from a pack: python tools/data/pack.py CELEBA_ROOT --out data/celeba_112 --size 112
# The pack holds the output of the pipeline. PackedFaces does not run it, and rejects packs made in another way.
_base_ = './celeba.py'

data_root = '{{$CELEBA_PACK:data/celeba_112}}'

# Copying a batch from the memory map is faster than sending it from another process.
loader = dict(
    num_workers=0,
    collate_fn=dict(type='packed_collate'),
    dataset=dict(type='PackedFaces', data_root=data_root),
)
train_dataloader = loader
val_dataloader = loader
test_dataloader = loader
del loader
