# IMCNN with a quarter of the width on 64x64 pixels, for two cores.
_base_ = [
    '_base_/models/imcnn_mini.py',
    '_base_/datasets/celeba_64.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]
