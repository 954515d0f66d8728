import math

import pytest
import torch
from mmpretrain.registry import MODELS

# Table 2 of the paper: output of each layer for an image of 112 x 112; ConvAttr six times side by side.
TABLE_2 = dict(
    conv1=(64, 112, 112),
    pool1=(64, 56, 56),
    conv2a=(64, 56, 56),
    conv2=(192, 56, 56),
    pool2=(192, 28, 28),
    conv3a=(192, 28, 28),
    conv3=(384, 28, 28),
    pool3=(384, 14, 14),
    conv_attr=(6 * 512, 7, 7),
)


def test_output_of_each_layer_is_that_of_table_2():
    model = MODELS.build(dict(type='mmpretrain.IMCNN'))
    x = torch.randn(1, 3, 112, 112)
    for name, layer in model.layers.named_children():
        x = layer(x)
        assert x.shape[1:] == TABLE_2.pop(name)
    assert not TABLE_2


def test_f_is_the_last_output():
    model = MODELS.build(dict(type='mmpretrain.IMCNN', width=0.25))
    [f] = model(torch.randn(2, 3, 64, 64))
    assert f.shape == (2, 6 * 128, 4, 4)


def test_fused_conv_attr_starts_as_six_separate_layers_would():
    torch.manual_seed(0)
    model = MODELS.build(dict(type='mmpretrain.IMCNN', width=0.25))
    model.init_weights()
    weight = model.layers.conv_attr[0].weight
    # One layer of a group has the same inputs, 96 channels of 3 x 3, so Caffe's filler draws from the same interval.
    bound = math.sqrt(3 / (96 * 9))
    for group in weight.chunk(6):
        assert bound * 0.999 < group.abs().max() <= bound
        assert abs(group.std().item() / (bound / math.sqrt(3)) - 1) < 0.01


@pytest.mark.parametrize('name', ['IMCNN', 'MCNN'])
def test_init_cfg_may_be_a_checkpoint_or_none(name, tmp_path):
    source = MODELS.build(dict(type=f'mmpretrain.{name}', width=0.1, init_cfg=None))
    source.init_weights()
    torch.save(source.state_dict(), tmp_path / 'a.pth')
    model = MODELS.build(
        dict(
            type=f'mmpretrain.{name}', width=0.1, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth'))
        )
    )
    model.init_weights()
    torch.testing.assert_close(model.state_dict(), source.state_dict())
