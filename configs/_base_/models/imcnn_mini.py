# IMCNN with a quarter of the width on 64x64 pixels, for two cores; F has 768 channels of 4x4.
_base_ = './imcnn.py'

model = dict(
    data_preprocessor=dict(flip_prob=0.5, crop_size=64),
    backbone=dict(width=0.25),
    head=dict(
        attr_head=dict(in_channels=768, in_size=(4, 4), hidden_dims=(256, 256)),
        id_head=dict(in_channels=768, in_size=(4, 4), embedding_dims=128),
    ),
)
