# MCNN-AUX: the second stage, on a frozen MCNN with a quarter of the width. Train configs/mcnn_celeba_mini.py first.
_base_ = './mcnn_celeba_mini.py'

model = dict(backbone=dict(frozen=True), head=dict(attr_head=dict(type='AuxMultiLabelHead')))
load_from = 'work_dirs/mcnn_celeba_mini/epoch_12.pth'
# 1,600 weights do not need twelve epochs.
train_cfg = dict(max_epochs=4)
