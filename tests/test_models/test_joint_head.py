import copy

import pytest
import torch
from mmengine.runner import load_state_dict
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

CONFIG = dict(
    type='mmpretrain.JointHead',
    attr_head=dict(
        type='mmpretrain.GroupedMultiLabelHead',
        classes=['a', 'b'],
        groups=[dict(name='all', labels=['a', 'b'])],
        in_channels=6,
    ),
    id_head=dict(type='mmpretrain.IdentityHead', num_identities=4, in_channels=6),
    loss=dict(type='mmpretrain.JointLoss', id_weight=0.5),
)
SAMPLES = [
    DataSample(gt_score=torch.tensor([1, 0]), gt_identity=2),
    DataSample(gt_score=torch.tensor([0, 1]), gt_identity=3),
]


def build_head(**kwargs):
    return MODELS.build({**copy.deepcopy(CONFIG), **kwargs})


def test_losses_are_those_of_the_heads():
    head, feats = build_head(), (torch.randn(2, 6),)
    losses = head.loss(feats, SAMPLES)
    assert losses['loss_attr'] == head.attr_head.loss(feats, SAMPLES)['loss']
    assert losses['loss_id'] == 0.5 * head.id_head.loss(feats, SAMPLES)['loss_id']


def test_the_loss_may_be_its_weight_alone():
    # As --cfg-options model.head.loss.id_weight=0.5 and sweeps write it.
    assert build_head(loss=dict(id_weight=0.5)).loss_module.id_weight == 0.5
    config = {key: value for key, value in CONFIG.items() if key != 'loss'}
    assert MODELS.build(copy.deepcopy(config)).loss_module.id_weight == 1


def test_without_an_identity_head_there_is_no_identity_branch():
    head = build_head(id_head=None)
    assert list(head.loss((torch.randn(2, 6),), SAMPLES)) == ['loss_attr']
    assert not [name for name, _ in head.named_parameters() if 'id_head' in name]


def test_predict_does_not_run_the_identity_branch(monkeypatch):
    head = build_head()

    def refuse(*args):
        raise AssertionError('the identity branch ran')

    monkeypatch.setattr(head.id_head, 'forward', refuse)
    monkeypatch.setattr(head.id_head.fc, 'forward', refuse)
    with pytest.raises(AssertionError):
        head.loss((torch.randn(2, 6),), SAMPLES)
    assert len(head.predict((torch.randn(2, 6),))) == 2
    assert head((torch.randn(2, 6),)).shape == (2, 2)


def test_a_checkpoints_identity_branch_is_ignored(capfd):
    whole, part = build_head(), build_head(id_head=None)
    load_state_dict(part, whole.state_dict(), strict=True)
    torch.testing.assert_close(part.attr_head.state_dict(), whole.attr_head.state_dict())
