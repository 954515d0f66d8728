# An IMCNN that was trained on CelebA, trained further on LFWA's 6,263 images and tested on the other 6,880, with the
# weights that it starts from (without them it starts from nothing):
# python tools/train.py configs/imcnn_lfwa_finetune.py --cfg-options load_from=work_dirs/imcnn_celeba/epoch_30.pth
_base_ = [
    '_base_/models/imcnn.py',
    '_base_/datasets/lfwa.py',
    '_base_/schedules/paper.py',
    '_base_/default_runtime.py',
]
# CelebA's identities are not LFWA's, most of whom have one image.
model = dict(head=dict(id_head=None))

test_dataloader = dict(dataset=dict(protocol='halves', split='test'))
# Validation is on the test split, so it may not choose the epoch: the last weights are tested.
default_hooks = dict(checkpoint=dict(save_best=None))
