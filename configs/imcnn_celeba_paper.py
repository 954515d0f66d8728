# The paper's split (section 4.1): train on the images of 8,000 identities and test on the rest. The paper does not
# list the identities, so they are drawn at random; the printed 180,000 / 20,000 images require a different choice.
_base_ = './imcnn_celeba.py'

protocol = dict(protocol='paper', num_train_identities=8000, seed=0)
train_dataloader = dict(dataset=protocol)
# There is no validation split: monitor the test split, but do not select anything by it.
val_dataloader = dict(dataset=dict(split='test', **protocol))
test_dataloader = dict(dataset=protocol)
del protocol
default_hooks = dict(checkpoint=dict(save_best=None))
