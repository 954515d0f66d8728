# MCNN-AUX: the second stage, on a frozen MCNN. Train configs/mcnn_celeba.py first, or set load_from to
# a checkpoint of it.
_base_ = './mcnn_celeba.py'

model = dict(backbone=dict(frozen=True), head=dict(attr_head=dict(type='AuxMultiLabelHead')))
load_from = 'work_dirs/mcnn_celeba/epoch_22.pth'
