# The second stage of ANet: fine-tuned on the attributes. The test fits a linear SVM per attribute to its features.
# python tools/train.py configs/anet_celeba_mini.py --cfg-options load_from=work_dirs/anet_id_celeba_mini/epoch_5.pth
_base_ = './anet_id_celeba_mini.py'
from imcnn_plugin.attributes import ATTRIBUTES

model = dict(
    head=dict(
        _delete_=True,
        type='GroupedMultiLabelHead',
        classes=ATTRIBUTES,
        groups=[dict(name='all', labels=ATTRIBUTES)],
        in_channels=256,
    )
)
del ATTRIBUTES
optim_wrapper = dict(optimizer=dict(lr=0.01))
train_cfg = dict(max_epochs=3)
