# A small LNet-o of LNets+ANet (Liu et al. 2015, arXiv 1411.7766): attributes from whole photos.
# The paper starts from ImageNet weights; here, set load_from to a checkpoint of imcnn_celeba_mini.py.
_base_ = [
    '_base_/datasets/celeba_wild.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='FacePreprocessor', flip_prob=0.5),
    backbone=dict(type='LNet', width=0.25),
    # Between average pooling, which rewards activations anywhere, and max pooling, which trains one place per photo.
    neck=dict(type='GeneralizedMeanPooling', p=4.0, p_trainable=False),
    head=dict(
        type='GroupedMultiLabelHead',
        classes=ATTRIBUTES,
        groups=[dict(name='all', labels=ATTRIBUTES)],
        in_channels=96,
    ),
)
optim_wrapper = dict(type='BF16OptimWrapper', optimizer=dict(lr=0.02, fused=True))
train_cfg = dict(max_epochs=5)
# The epoch with the best attributes need not have the best map, so keep the last weights.
val_dataloader = val_evaluator = val_cfg = None
test_evaluator = dict(groups=NINE_GROUPS)
del ATTRIBUTES, NINE_GROUPS
default_hooks = dict(checkpoint=dict(save_best=None), speed=dict(channels_last=True))
