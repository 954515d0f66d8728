import re

import pytest
import torch
from backbones import draw_images, spread
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from imcnn_plugin.apis import fused_model, optimize_for_inference
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS
from imcnn_plugin.models import GroupedMultiLabelHead

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


@MODELS.register_module()
class Backwards(BaseBackbone):
    """Convolution, ReLU, normalization; then a convolution whose output is read again; then one to be merged."""

    def __init__(self, inplace):
        super().__init__()
        layers = [(nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16)) for channels in (3, 16, 16)]
        self.layers = nn.ModuleList(layer for pair in layers for layer in pair)
        self.relu = nn.ReLU(inplace)

    def forward(self, x):
        conv1, norm1, conv2, norm2, conv3, norm3 = self.layers
        y = conv2(norm1(self.relu(conv1(x))))
        return (self.relu(norm3(conv3(y + norm2(y)))),)


@MODELS.register_module()
class LinearScale(BaseBackbone):
    """Reads the weights of a linear layer otherwise than in a product, which half precision does not allow."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 16, 3), nn.Linear(16, 1)

    def forward(self, x):
        x = self.conv(x).mean((2, 3)).float()
        return (nn.functional.layer_norm(x, (16,), self.fc.weight[0]),)


@MODELS.register_module()
class NoHalf(LinearScale):
    def forward(self, x):
        # NumPy has no bfloat16.
        return (torch.from_numpy(self.conv(x).mean((2, 3)).numpy(force=True)),)


@MODELS.register_module()
class OneSize(LinearScale):
    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, x):
        assert x.size(2) == self.side
        return (self.conv(x).mean((2, 3)),)


def trained(config, crop_size=32):
    """A model whose batch normalization and calibration are not what they start with."""
    torch.manual_seed(0)
    preprocessor = dict(type='FacePreprocessor', mean=(120, 110, 100), std=(60, 61, 62), crop_size=crop_size)
    model = MODELS.build(dict(type='mmpretrain.ImageClassifier', data_preprocessor=preprocessor, **config))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
        if isinstance(module, GroupedMultiLabelHead):
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


def small(channels, pooled=True, **backbone):
    """A config of a backbone with that many channels."""
    head = dict(RESNET['head'], in_channels=channels, groups=[dict(name='all', labels=['a', 'b', 'c'])])
    return dict(backbone=backbone, head=head, **(dict(neck=RESNET['neck']) if pooled else {}))


_STANDARDIZED = small(16, type='ResNet', depth=18, stem_channels=4, base_channels=2, conv_cfg=dict(type='ConvWS'))
_ONE_SIZE = small(16, pooled=False, type='OneSize', side=100)
# Our own backbones and how many batch normalizations cannot be merged; mmpretrain's are in tests/test_backbones.py.
BACKBONES = [
    (small(16, type='Backwards', inplace=True), 2),
    (small(16, type='Backwards', inplace=False), 2),
    (small(102, type='IMCNNDense', growth_rate=4, num_slices=1), 0),
    (small(180, type='MCNN', width=0.1, conv1_stride=1), 0),
]


@pytest.mark.parametrize('config, norms', BACKBONES, ids=[config['backbone']['type'] for config, _ in BACKBONES])
def test_own_backbones_keep_their_predictions(config, norms, monkeypatch):
    monkeypatch.setattr(fused_model, '_warn', pytest.fail)
    model, images = trained(config, 64), draw_images(64)
    spread(model, images)
    with torch.inference_mode():
        expected = torch.stack([sample.pred_score for sample in model.test_step(dict(inputs=images))])
        assert expected.std() > 0.2
        predictor = optimize_for_inference(model, torch.float32)
        torch.testing.assert_close(predictor(images), expected, atol=1e-4, rtol=0)
        assert sum(isinstance(module, nn.BatchNorm2d) for module in predictor.modules()) == norms
        half = optimize_for_inference(model)(images)
    assert (half - expected).abs().mean() < 0.03


@pytest.mark.parametrize(
    'config, dtype, warning',
    [
        # Its weights are standardized before each use, which undoes a merge.
        (_STANDARDIZED, torch.float32, 'Batch normalization is not merged into convolutions'),
        (small(16, pooled=False, type='LinearScale'), torch.bfloat16, 'Weights stay in float32 and are cast to'),
        (small(16, pooled=False, type='NoHalf'), torch.bfloat16, 'Predictions are made in float32 instead of'),
        (_ONE_SIZE, torch.bfloat16, r'Predictions are made as in training.*: give images\.'),
    ],
    ids=['merging', 'casting', 'half_precision', 'images'],
)
def test_what_fails_is_undone_with_one_warning(config, dtype, warning, monkeypatch):
    warnings = []
    monkeypatch.setattr(fused_model, 'print_log', lambda message, *args, **kwargs: warnings.append(message))
    model = trained(config, crop_size=None)
    images = torch.randint(256, (4, 3, 100, 100), dtype=torch.uint8)
    with torch.inference_mode():
        expected = torch.stack([sample.pred_score for sample in model.test_step(dict(inputs=images))])
        predictor = optimize_for_inference(model, dtype)
        torch.testing.assert_close(predictor(images), expected, atol=1e-2, rtol=0)
    [found] = warnings
    assert re.match(warning, found) and '\n' not in found


def test_images_to_check_on_have_the_size_in_the_config(monkeypatch):
    monkeypatch.setattr(fused_model, '_warn', pytest.fail)
    steps = [dict(type='LoadFaceFromFile'), dict(type='Resize', scale=(100, 100)), dict(type='PackInputs')]
    loader = dict(dataset=dict(type='CelebAIdentity', pipeline=steps))
    model = dict(_ONE_SIZE, type='ImageClassifier', data_preprocessor=dict(type='FacePreprocessor'))
    assert optimize_for_inference(get_model(Config(dict(model=model, test_dataloader=loader)))).dtype == torch.bfloat16


def test_images_to_check_on_may_be_given(monkeypatch):
    monkeypatch.setattr(fused_model, '_warn', pytest.fail)
    model = trained(_ONE_SIZE, crop_size=None)
    images = torch.randint(256, (4, 3, 100, 100), dtype=torch.uint8)
    assert optimize_for_inference(model, images=images).dtype == torch.bfloat16
