# The paper's split on a subset of CelebA with 4,926 identities.
_base_ = './imcnn_celeba_mini.py'

protocol = dict(protocol='paper', num_train_identities=3900, seed=0)
train_dataloader = dict(dataset=protocol)
val_dataloader = dict(dataset=dict(split='test', **protocol))
test_dataloader = dict(dataset=protocol)
del protocol
default_hooks = dict(checkpoint=dict(save_best=None))
