# Five-fold cross-validation by identity on a subset of CelebA with 4,926 identities; FOLD, 0 to 4, is the test fold.
_base_ = './imcnn_celeba_mini.py'

protocol = dict(protocol='kfold', fold='{{$FOLD:0}}', num_folds=5, seed=0)
train_dataloader = dict(dataset=protocol)
val_dataloader = dict(dataset=dict(split='test', **protocol))
test_dataloader = dict(dataset=protocol)
del protocol
default_hooks = dict(checkpoint=dict(save_best=None))
