import torch
from mmengine.runner import load_state_dict
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

CONFIG = dict(
    classes=['a', 'b', 'c'],
    groups=[dict(name='one', labels=['a', 'c'], slice=0), dict(name='two', labels=['b'], slice=1)],
    in_channels=8,
    num_slices=2,
    hidden_dims=(16,),
    dropout=0.5,
)


def test_starts_with_the_scores_of_the_first_stage_and_trains_only_the_second():
    torch.manual_seed(0)
    first = MODELS.build(dict(type='mmpretrain.GroupedMultiLabelHead', **CONFIG))
    second = MODELS.build(dict(type='mmpretrain.AuxMultiLabelHead', **CONFIG))
    second.init_weights()
    load_state_dict(second, first.state_dict(), strict=False)
    x = torch.randn(5, 8)
    first.eval()
    # In training mode, too: the first stage's dropout is off.
    second.train()
    torch.testing.assert_close(second((x,)), first((x,)))

    before = {name: value.clone() for name, value in second.state_dict().items()}
    samples = [DataSample().set_gt_score(row) for row in torch.randint(0, 2, (5, 3))]
    trained = [parameter for parameter in second.parameters() if parameter.requires_grad]
    assert sum(parameter.numel() for parameter in trained) == 9
    optimizer = torch.optim.SGD(second.parameters(), lr=0.1, weight_decay=0.1)
    second.loss((x,), samples)['loss'].backward()
    optimizer.step()
    changed = [name for name, value in second.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ['aux.weight']


def test_weights_of_init_cfg_are_kept(tmp_path):
    stored = MODELS.build(dict(type='mmpretrain.AuxMultiLabelHead', **CONFIG))
    torch.nn.init.constant_(stored.aux.weight, 0.7)
    torch.save(dict(state_dict={f'head.{name}': value for name, value in stored.state_dict().items()}), tmp_path / 'a')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a'), prefix='head')
    head = MODELS.build(dict(type='mmpretrain.AuxMultiLabelHead', init_cfg=init_cfg, **CONFIG))
    head.init_weights()
    torch.testing.assert_close(head.state_dict(), stored.state_dict())


def test_mcnn_can_be_frozen():
    for frozen in (False, True):
        model = MODELS.build(dict(type='mmpretrain.MCNN', width=0.1, frozen=frozen))
        assert all(parameter.requires_grad != frozen for parameter in model.parameters())
