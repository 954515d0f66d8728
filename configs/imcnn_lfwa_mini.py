# A quarter-width IMCNN that is trained on one half of LFWA and tested on the other; it reads a pack:
# LFWA_PACK=data/lfwa_72 python tools/train.py configs/imcnn_lfwa_mini.py
_base_ = [
    '_base_/models/imcnn_mini.py',
    '_base_/datasets/lfwa_64_packed.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]

optim_wrapper = dict(type='BF16OptimWrapper', optimizer=dict(fused=True))
default_hooks = dict(
    speed=dict(channels_last=True, keep_memory=True),
    # The held-out identities are too few to choose the best epoch.
    checkpoint=dict(interval=3, save_best=None),
)
train_cfg = dict(val_interval=3)
