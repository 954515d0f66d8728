_base_ = './imcnn_celeba_mini.py'
model = dict(head=dict(id_head=None))
