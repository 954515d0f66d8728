# The paper's own split (section 4.1): the images of 8,000 identities to train, those of the rest to test. Which
# identities is not published, so they are drawn at random; the printed 180,000 / 20,000 images need another choice.
_base_ = './imcnn_celeba.py'

protocol = dict(protocol='paper', num_train_identities=8000, seed=0)
train_dataloader = dict(dataset=protocol)
# It has no validation split: watch the test split, but choose nothing by it.
val_dataloader = dict(dataset=dict(split='test', **protocol))
test_dataloader = dict(dataset=protocol)
del protocol
default_hooks = dict(checkpoint=dict(save_best=None))
