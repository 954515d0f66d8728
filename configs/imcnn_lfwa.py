# An IMCNN or ATTR Net that was trained on CelebA, tested on the whole of LFWA (section 4.1):
# python tools/test.py configs/imcnn_lfwa.py work_dirs/imcnn_celeba/epoch_30.pth
_base_ = [
    '_base_/models/imcnn.py',
    '_base_/datasets/lfwa.py',
    '_base_/default_runtime.py',
]
# At test they are the same network.
model = dict(head=dict(id_head=None))

# A training on a part of what is then tested would say nothing; see imcnn_lfwa_finetune.py.
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
