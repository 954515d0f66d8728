# Five-fold cross-validation by identity: FOLD=0 to FOLD=4, an environment variable, is the fold that is tested. The
# number of training identities differs by one between folds; training says which to pass.
_base_ = './imcnn_celeba.py'

protocol = dict(protocol='kfold', fold='{{$FOLD:0}}', num_folds=5, seed=0)
train_dataloader = dict(dataset=protocol)
# It has no validation part: watch the tested fold, but choose nothing by it.
val_dataloader = dict(dataset=dict(split='test', **protocol))
test_dataloader = dict(dataset=protocol)
default_hooks = dict(checkpoint=dict(save_best=None))

# 10,177 identities, of which folds 0 and 1 test 2,036 each and the others 2,035.
model = dict(head=dict(id_head=dict(num_identities=8141)))
