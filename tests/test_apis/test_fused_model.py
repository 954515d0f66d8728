import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from imcnn_plugin.apis import optimize_for_inference
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS

IMCNN = dict(
    backbone=dict(type='IMCNN', width=1 / 16),
    head=dict(
        type='JointHead',
        attr_head=dict(
            type='GroupedMultiLabelHead',
            classes=ATTRIBUTES,
            groups=NINE_GROUPS,
            in_channels=192,
            num_slices=6,
            in_size=(2, 2),
            hidden_dims=(16, 16),
        ),
        id_head=dict(type='IdentityHead', num_identities=5, in_channels=192, in_size=(2, 2)),
    ),
)
RESNET = dict(
    backbone=dict(type='ResNet', depth=18, num_stages=4, out_indices=(3,)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='GroupedMultiLabelHead',
        classes=['a', 'b', 'c'],
        groups=[dict(name='one', labels=['c', 'a']), dict(name='two', labels=['b'])],
        in_channels=512,
        hidden_dims=(8,),
    ),
)


def trained(config):
    """A model whose batch normalization and calibration are not what they start with."""
    torch.manual_seed(0)
    preprocessor = dict(type='FacePreprocessor', mean=(120, 110, 100), std=(60, 61, 62), crop_size=32)
    model = MODELS.build(dict(type='mmpretrain.ImageClassifier', data_preprocessor=preprocessor, **config))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        if hasattr(module, 'temperature'):
            nn.init.uniform_(module.temperature, 0.5, 2)
    model.eval()
    return model


@pytest.mark.parametrize('config', [IMCNN, RESNET], ids=['imcnn', 'resnet'])
@pytest.mark.parametrize('dtype, tolerance', [(torch.float32, 1e-5), (torch.bfloat16, 0.01)])
def test_gives_what_the_model_predicts(config, dtype, tolerance):
    model = trained(config)
    images = torch.randint(0, 256, (5, 3, 36, 36), dtype=torch.uint8)
    data = model.data_preprocessor(dict(inputs=images, data_samples=DataSample()))
    (expected,) = model(**data, mode='predict')
    predictor = optimize_for_inference(model, dtype)
    found = predictor(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected.pred_score, atol=tolerance, rtol=0)
    assert expected.pred_score.std() > 0.02


def test_leaves_the_model_as_it_is_and_the_identity_branch_out():
    model = trained(IMCNN)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    predictor = optimize_for_inference(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any('id_head' in name for name, _ in predictor.named_modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in predictor.modules())
    assert all(parameter.dtype == torch.bfloat16 for parameter in predictor.parameters())
    assert predictor.head.temperature.dtype == torch.float32


def test_batch_normalization_that_stays_runs_in_half_precision():
    neck = dict(type='LinearNeck', in_channels=512, out_channels=512)
    model = trained(dict(RESNET, neck=[RESNET['neck'], neck]))
    images = torch.randint(256, (3, 3, 64, 64), dtype=torch.uint8)
    found, expected = (optimize_for_inference(model, dtype)(images) for dtype in (torch.bfloat16, torch.float32))
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)
