# ID Net (Zhong, Sullivan & Li 2016, arXiv 1602.03935), here with IMCNN's convolutions and identity branch, trained on
# identities only. The test fits linear SVMs for the attributes to its features.
_base_ = './imcnn_celeba.py'
from imcnn_plugin.attributes import NINE_GROUPS

model = dict(head=dict(_delete_=True, type='IdentityHead', num_identities='auto', in_channels=3072, in_size=(7, 7)))
# Identities of other splits are not among its classes, so there is nothing to validate before the SVMs of the test.
val_dataloader = val_evaluator = val_cfg = None
# There is no attribute head to take the groups from.
test_evaluator = dict(groups=NINE_GROUPS)
test_cfg = dict(type='FeatureSVMLoop')
del NINE_GROUPS
default_hooks = dict(checkpoint=dict(save_best=None))
