# A small IMCNN on drawn faces, to try everything in a few minutes on two cores; see tools/quickstart.sh.
_base_ = './imcnn_celeba_mini.py'

# With batches of 32, six epochs reach what eight reach with 64.
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=6)
