# ID Net at a quarter of the width on 64x64 pixels.
_base_ = './imcnn_celeba_mini.py'

model = dict(
    head=dict(
        _delete_=True,
        type='IdentityHead',
        num_identities=3947,
        in_channels=768,
        in_size=(4, 4),
        embedding_dims=128,
    )
)
val_dataloader = val_evaluator = val_cfg = None
test_cfg = dict(type='DescriptorSVMLoop')
default_hooks = dict(checkpoint=dict(save_best=None))
