import torch
from mmpretrain.registry import MODELS


def test_gives_a_2x2_map_for_both_input_sizes():
    assert MODELS.build(dict(type='mmpretrain.MCNN'))(torch.randn(1, 3, 227, 227))[0].shape == (1, 1800, 2, 2)
    mini = MODELS.build(dict(type='mmpretrain.MCNN', width=0.25, conv1_stride=1))
    assert mini(torch.randn(1, 3, 64, 64))[0].shape == (1, 450, 2, 2)


def test_response_normalization_stays_within_groups():
    model = MODELS.build(dict(type='mmpretrain.MCNN', width=0.1, conv1_stride=1, num_slices=3))
    x = torch.randn(2, 3, 64, 64)
    before = model(x)[0].unflatten(1, (3, -1))
    with torch.no_grad():
        # Large enough to damp neighbors in the same window.
        model.conv3[0].weight[:30] *= 1000
    after = model(x)[0].unflatten(1, (3, -1))
    assert not torch.allclose(before[:, 0], after[:, 0])
    torch.testing.assert_close(before[:, 1:], after[:, 1:])
