# The grouped head on the class token of mmpretrain's DeiT-S/16, a ViT of the size of a ResNet-50, initialized with
# ImageNet weights (deit-small_4xb256_in1k).
_base_ = './resnet50_celeba.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        arch='deit-small',
        img_size=224,
        patch_size=16,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/deit/'
            'deit-small_pt-4xb256_in1k_20220218-9425b9bb.pth',
            prefix='backbone',
        ),
    ),
    neck=None,
    head=dict(attr_head=dict(in_channels=384)),
)
