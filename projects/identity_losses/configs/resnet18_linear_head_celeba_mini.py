# Baseline: mmpretrain's ResNet-18 with its own linear multi-label head, same input and schedule as the other networks.
_base_ = '../../../configs/resnet18_celeba_mini.py'
model = dict(head=dict(_delete_=True, type='MultiLabelLinearClsHead', num_classes=40, in_channels=512, thr=0.5))
