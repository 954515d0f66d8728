# The paper's IMCNN on packed faces with all speed options: the same network and schedule, in bfloat16.
# python tools/data/pack.py /path/to/CelebA --out data/celeba_112 --size 112
_base_ = [
    '_base_/models/imcnn.py',
    '_base_/datasets/celeba_packed.py',
    '_base_/schedules/fast.py',
]

# Batches of a single size are compiled only once. Other images are dropped in each epoch.
train_dataloader = dict(drop_last=True)
