# The peer: mmpretrain's ResNet-18 with its own linear multi-label head, at the input and the schedule of the others.
_base_ = '../../configs/resnet18_celeba_mini.py'
model = dict(head=dict(_delete_=True, type='MultiLabelLinearClsHead', num_classes=40, in_channels=512, thr=0.5))
