# What did best on LFWA: no identities, sixty epochs on a whole half from the weights of imcnn_celeba_mini_best.py,
# with its dropout and weight decay.
# LFWA_PACK=data/lfwa_72 python tools/train.py configs/imcnn_lfwa_mini_best.py
_base_ = './imcnn_lfwa_mini.py'

load_from = 'work_dirs/imcnn_celeba_mini_best/best.pth'
model = dict(head=dict(attr_head=dict(dropout=0.5), id_head=None))
optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=5e-3))
train_cfg = dict(max_epochs=60)
train_dataloader = dict(dataset=dict(split='train'))
# No identity of the half is held out for validation.
val_cfg = None
val_dataloader = None
val_evaluator = None
