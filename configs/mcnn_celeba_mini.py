# MCNN with a quarter of the width on 64x64 pixels. With stride 1 in Conv1, the last map is 2x2, as at full size.
_base_ = [
    '_base_/models/mcnn.py',
    '_base_/datasets/celeba_64.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(flip_prob=0.5, crop_size=64),
    backbone=dict(width=0.25, conv1_stride=1),
    head=dict(attr_head=dict(in_channels=450, hidden_dims=(128, 128))),
)
