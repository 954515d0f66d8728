# The most accurate on LFWA: training goes on from the teacher, towards its predictions as well as the labels. Images
# of CelebA take part without their labels.
# LFWA_PACK=data/lfwa_72 CELEBA_PACK=data/celeba_72 python tools/train.py configs/imcnn_lfwa_mini_best.py
_base_ = './imcnn_lfwa_mini_teacher.py'

load_from = '{{$TEACHER:work_dirs/imcnn_lfwa_mini_teacher/epoch_60.pth}}'
model = dict(data_preprocessor=dict(type='DistillationPreprocessor', teachers=[load_from]))

lfwa = dict(_base_.train_dataloader.dataset, split='train')
load, cut, resize, pack = lfwa['pipeline']
celeba = dict(
    type='PackedFaces',
    data_root='{{$CELEBA_PACK:data/celeba_72}}',
    split='train',
    with_label=False,
    pipeline=[load, resize, pack],
)
train_dataloader = dict(
    # The wrappers take single images.
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[dict(type='RepeatDataset', dataset=lfwa, times=2), celeba],
        ignore_keys=['split', 'protocol', 'fold', 'num_identities', 'checksums', 'image_cut', 'dataset_type'],
    ),
)
del lfwa, load, cut, resize, pack, celeba
train_cfg = dict(max_epochs=16)
# All of the half is trained on, so no identity is held out for validation.
val_cfg = None
val_dataloader = None
val_evaluator = None
