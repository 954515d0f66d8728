# ATTR Net: IMCNN without the identity branch (section 4.2).
_base_ = './imcnn_celeba.py'
model = dict(head=dict(id_head=None))
