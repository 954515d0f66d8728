# IMCNN-Dense with a quarter of the growth rate on 64x64 pixels; each group's map has 204 channels of 4x4.
_base_ = [
    '_base_/models/imcnn_dense.py',
    '_base_/datasets/celeba_64.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(flip_prob=0.5, crop_size=64),
    backbone=dict(growth_rate=8),
    head=dict(
        attr_head=dict(in_channels=816),
        id_head=dict(neck=dict(in_channels=204, growth_rate=8), in_channels=236, embedding_dims=128),
    ),
)
