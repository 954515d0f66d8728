# Fine-tunes an IMCNN that was trained on CelebA on one half of LFWA (6,263 images), and tests it on the other half
# (6,880). Without load_from, training starts from scratch.
# python tools/train.py configs/imcnn_lfwa_finetune.py --cfg-options load_from=work_dirs/imcnn_celeba/best.pth
_base_ = [
    '_base_/models/imcnn.py',
    '_base_/datasets/lfwa.py',
    '_base_/schedules/paper.py',
    '_base_/default_runtime.py',
]
# CelebA's identities are not in LFWA, where most identities have a single image.
model = dict(head=dict(id_head=None))

test_dataloader = dict(dataset=dict(protocol='halves', split='test'))
# Validation is on the test split, so it may not choose the epoch: the last weights are tested.
default_hooks = dict(checkpoint=dict(save_best=None))
