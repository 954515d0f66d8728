# A small IMCNN on drawn faces, to try everything in a few minutes on two cores; see tools/quickstart.sh.
_base_ = './imcnn_celeba_mini.py'

train_cfg = dict(max_epochs=8)
