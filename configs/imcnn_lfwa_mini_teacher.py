# The teacher of imcnn_lfwa_mini_best.py: sixty epochs from the weights of imcnn_celeba_mini_best.py, with its dropout
# and weight decay.
_base_ = './imcnn_lfwa_mini.py'

load_from = 'work_dirs/imcnn_celeba_mini_best/best.pth'
model = dict(head=dict(attr_head=dict(dropout=0.5), id_head=None))
optim_wrapper = dict(optimizer=dict(lr=0.01, weight_decay=5e-3))
train_cfg = dict(max_epochs=60)
