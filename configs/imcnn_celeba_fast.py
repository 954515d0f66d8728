# The paper's IMCNN from packed faces, with all that makes it faster: the same network and schedule, in bfloat16.
# python tools/data/pack.py /path/to/CelebA --out data/celeba_112 --size 112
_base_ = [
    '_base_/models/imcnn.py',
    '_base_/datasets/celeba_packed.py',
    '_base_/schedules/fast.py',
]

# Steps of one size are compiled once. The images that are left out are others in each epoch.
train_dataloader = dict(drop_last=True)
