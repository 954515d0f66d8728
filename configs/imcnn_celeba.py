# The paper's IMCNN on CelebA: Table 2, batch 64, lambda = 1, its schedule.
_base_ = [
    '_base_/models/imcnn.py',
    '_base_/datasets/celeba.py',
    '_base_/schedules/paper.py',
    '_base_/default_runtime.py',
]
