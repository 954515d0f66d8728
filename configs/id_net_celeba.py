# ID Net (Zhong, Sullivan & Li 2016, arXiv 1602.03935), here on IMCNN's convolutions and identity branch: trained on
# identities alone. tools/analysis/id_net.py then fits linear SVMs for the attributes on what it has learned.
_base_ = './imcnn_celeba.py'

model = dict(head=dict(_delete_=True, type='IdentityHead', num_identities=8192, in_channels=3072, in_size=(7, 7)))
# The people of the other parts are none of its classes, so there is nothing to validate before the SVMs.
val_dataloader = None
val_evaluator = None
val_cfg = None
test_dataloader = None
test_evaluator = None
test_cfg = None
default_hooks = dict(checkpoint=dict(save_best=None))
