# The best settings on the validation split: no identity head, dropout, sixty epochs, and strong weight decay.
# python tools/data/pack.py /path/to/CelebA --out data/celeba_72 --size 72
_base_ = './imcnn_celeba_mini_fast.py'

model = dict(head=dict(attr_head=dict(dropout=0.5), id_head=None))
# Weights without gradients decay to 1/15; with lr=0.01 and weight_decay=5e-4 over twelve epochs, only by 1/20.
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=5e-3))
train_cfg = dict(max_epochs=60)
