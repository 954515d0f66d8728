import torch
from mmpretrain.registry import MODELS

# Table 1 of the paper: side of the map after each row, for an image of 224 x 224. Channels follow from DenseNet-121's
# growth rate 32, stem of 64 and halving transitions.
TABLE_1 = dict(
    stem=(64, 112),
    pool=(64, 56),
    block1=(64 + 4 * 32, 56),
    transition1=(96, 28),
    block2=(96 + 8 * 32, 28),
    transition2=(176, 14),
    block3=(176 + 16 * 32, 14),
)
GROUP = 688 + 4 * 32


def weights_of_dense_block(in_channels, num_layers, growth_rate=32):
    """A 1x1 convolution to 4 * growth_rate, a 3x3 one to growth_rate, two numbers per channel for normalization."""
    bottleneck = 4 * growth_rate
    return sum(
        (in_channels + i * growth_rate) * bottleneck + 2 * bottleneck + 9 * bottleneck * growth_rate + 2 * growth_rate
        for i in range(num_layers)
    )


def test_output_of_each_row_is_that_of_table_1():
    model = MODELS.build(dict(type='mmpretrain.IMCNNDense'))
    x = torch.randn(2, 3, 224, 224)
    for name, layer in model.shared.named_children():
        x = layer(x)
        channels, side = TABLE_1.pop(name)
        assert x.shape == (2, channels, side, side)
    assert not TABLE_1
    for group in model.groups:
        assert group(x).shape == (2, GROUP, 14, 14)
    assert len(model.groups) == 4


def test_number_of_weights():
    model = MODELS.build(dict(type='mmpretrain.IMCNNDense'))
    stem = 3 * 64 * 49 + 2 * 64
    transitions = 192 * 96 + 2 * 96 + 352 * 176 + 2 * 176
    blocks = weights_of_dense_block(64, 4) + weights_of_dense_block(96, 8) + weights_of_dense_block(176, 16)
    groups = 4 * weights_of_dense_block(688, 4)
    assert sum(parameter.numel() for parameter in model.parameters()) == stem + transitions + blocks + groups


def test_f_concatenates_the_groups_maps():
    model = MODELS.build(dict(type='mmpretrain.IMCNNDense', growth_rate=4))
    model.eval()
    x = torch.randn(2, 3, 64, 64)
    [f] = model(x)
    shared = model.shared(x)
    torch.testing.assert_close(f.chunk(4, 1)[2], model.groups[2](shared))


def test_maxout_takes_the_largest_group_at_each_position():
    neck = MODELS.build(dict(type='mmpretrain.MaxoutDenseNeck', in_channels=6, num_slices=3, growth_rate=2))
    f = torch.randn(2, 18, 5, 5)
    [out] = neck((f,))
    assert out.shape == (2, 6 + 4 * 2, 5, 5)
    torch.testing.assert_close(out[:, :6], torch.stack(f.chunk(3, 1)).max(0).values)


def test_identity_head_takes_the_neck_in_front():
    head = MODELS.build(
        dict(
            type='mmpretrain.IdentityHead',
            num_identities=7,
            neck=dict(type='mmpretrain.MaxoutDenseNeck', in_channels=6, num_slices=3, growth_rate=2),
            in_channels=14,
            embedding_dims=5,
        )
    )
    assert head.pre_logits((torch.randn(2, 18, 4, 4),)).shape == (2, 5)
    assert head((torch.randn(2, 18, 4, 4),)).shape == (2, 7)
