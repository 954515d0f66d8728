# What did best on the validation split: no identities, dropout, thirty epochs, and weights that decay in earnest.
# python tools/data/pack.py /path/to/CelebA --out data/celeba_72 --size 72
_base_ = './imcnn_celeba_mini_fast.py'

model = dict(head=dict(attr_head=dict(dropout=0.5), id_head=None))
# Weights that no gradient holds shrink to a fifteenth; by 0.01 and 5e-4 over twelve epochs, by a twentieth alone.
optim_wrapper = dict(optimizer=dict(lr=0.02, weight_decay=5e-3))
train_cfg = dict(max_epochs=30)
