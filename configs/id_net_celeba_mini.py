# ID Net with a quarter of the width on 64x64 pixels.
_base_ = './imcnn_celeba_mini.py'
from imcnn_plugin.attributes import NINE_GROUPS

model = dict(
    head=dict(
        _delete_=True,
        type='IdentityHead',
        num_identities='auto',
        in_channels=768,
        in_size=(4, 4),
        embedding_dims=128,
    )
)
val_dataloader = val_evaluator = val_cfg = None
# There is no attribute head to take the groups from.
test_evaluator = dict(groups=NINE_GROUPS)
test_cfg = dict(type='FeatureSVMLoop')
del NINE_GROUPS
default_hooks = dict(checkpoint=dict(save_best=None))
