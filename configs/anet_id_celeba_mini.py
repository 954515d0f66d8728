# The first stage of a small ANet (Liu et al. 2015, arXiv 1411.7766), trained on identities only.
_base_ = [
    '_base_/datasets/celeba_64_packed.py',
    '_base_/schedules/cosine_12e.py',
    '_base_/default_runtime.py',
]
from imcnn_plugin.attributes import NINE_GROUPS

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(type='FacePreprocessor', flip_prob=0.5, crop_size=64),
    backbone=dict(type='ANet'),
    head=dict(type='IdentityHead', num_identities='auto', in_channels=256, embedding_dims=None),
)
optim_wrapper = dict(type='BF16OptimWrapper', optimizer=dict(lr=0.05, fused=True))
train_cfg = dict(max_epochs=5)
val_dataloader = val_evaluator = val_cfg = None
# The test fits linear SVMs for the attributes to the features.
test_evaluator = dict(groups=NINE_GROUPS)
test_cfg = dict(type='FeatureSVMLoop', fp16=True)
del NINE_GROUPS
default_hooks = dict(checkpoint=dict(save_best=None), speed=dict(channels_last=True))
