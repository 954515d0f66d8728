# Five-fold cross-validation by identity: FOLD=0 to FOLD=4, an environment variable, is the tested fold.
_base_ = './imcnn_celeba.py'

protocol = dict(protocol='kfold', fold='{{$FOLD:0}}', num_folds=5, seed=0)
train_dataloader = dict(dataset=protocol)
# It has no validation split: watch the tested fold, but choose nothing by it.
val_dataloader = dict(dataset=dict(split='test', **protocol))
test_dataloader = dict(dataset=protocol)
del protocol
default_hooks = dict(checkpoint=dict(save_best=None))
