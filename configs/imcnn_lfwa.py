# Tests an IMCNN or ATTR Net that was trained on CelebA on all of LFWA (section 4.1 of the paper):
# python tools/test.py configs/imcnn_lfwa.py work_dirs/imcnn_celeba
_base_ = [
    '_base_/models/imcnn.py',
    '_base_/datasets/lfwa.py',
    '_base_/default_runtime.py',
]
# At test time both are the same network.
model = dict(head=dict(id_head=None))

# All images are in the test split. imcnn_lfwa_finetune.py trains on one half.
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
