import torch

from imcnn_plugin.models import JointLoss


def test_joint_loss_weights_identity_by_lambda():
    loss_attr, loss_id = torch.tensor(27.0), torch.tensor(9.0)
    assert JointLoss(id_weight=0.5)(loss_attr, loss_id) == dict(loss_attr=27.0, loss_id=4.5)
    assert JointLoss()(loss_attr) == dict(loss_attr=27.0)
