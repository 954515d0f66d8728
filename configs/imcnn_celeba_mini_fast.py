# imcnn_celeba_mini.py on packed faces in bfloat16, with channels_last memory format and a fused optimizer.
# python tools/data/pack.py /path/to/CelebA --out data/celeba_72 --size 72
_base_ = [
    '_base_/models/imcnn_mini.py',
    '_base_/datasets/celeba_64_packed.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]

optim_wrapper = dict(type='BF16OptimWrapper', optimizer=dict(fused=True))
default_hooks = dict(speed=dict(channels_last=True))
