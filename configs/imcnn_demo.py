# A small IMCNN on drawn faces, to see everything work in a few minutes on two cores; see tools/quickstart.sh.
_base_ = './imcnn_celeba_mini.py'

# The 140 training identities of "tools/data/make_faces.py --identities 200 --images 20 --seed 0".
model = dict(head=dict(id_head=dict(num_identities=140)))
train_cfg = dict(max_epochs=8)
param_scheduler = dict(T_max=8)
