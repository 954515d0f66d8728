# imcnn_celeba_mini_fast.py with the classes of identity_losses.py, whose folder must be in PYTHONPATH.
_base_ = '../../../configs/imcnn_celeba_mini_fast.py'
custom_imports = dict(imports=['imcnn_plugin', 'identity_losses'])
