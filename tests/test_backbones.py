"""Every backbone of mmpretrain with the head: trains, predicts, and predicts the same once fused.

Small networks, the quick ones by default and all with ``--slow``, which also checks the sizes in docs/backbones.md.
"""

import re
from pathlib import Path

import pytest
import torch
from backbones import BACKBONES, EXCEPTIONS, PRETRAINING, classifier, draw_images, spread, table
from mmengine.optim import OptimWrapper
from mmpretrain.models import backbones as package
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from imcnn_plugin.apis import fused_model, optimize_for_inference

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'backbones.md'


def registered(folder):
    """Names of the backbones that a folder of mmpretrain registers."""
    return {
        name
        for name, part in MODELS.module_dict.items()
        if isinstance(part, type) and issubclass(part, BaseBackbone) and part.__module__.startswith(folder)
    }


def test_every_backbone_is_in_the_list():
    known = [backbone.name for backbone in BACKBONES] + [*EXCEPTIONS, 'TIMMBackbone']
    assert len(set(known)) == len(known)
    found = registered('mmpretrain.models.backbones.') | set(package.__all__)
    assert sorted(found ^ set(known)) == [], 'in mmpretrain or in tests/backbones.py alone: change BACKBONES there'
    found = registered('mmpretrain.models.selfsup.')
    assert sorted(found ^ set(PRETRAINING)) == [], 'change PRETRAINING in tests/backbones.py'


def test_the_page_has_the_list():
    assert '\n'.join(table()) in PAGE.read_text(), 'put what "python tests/backbones.py" prints into docs/backbones.md'


def train_step(model, images):
    """One step with all labels; returns the share of the backbone's parameters that it changed."""
    samples = [DataSample().set_gt_score(torch.randint(0, 2, (3,))) for _ in images]
    before = {name: parameter.clone() for name, parameter in model.backbone.named_parameters()}
    model.train()
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    losses = model.train_step(dict(inputs=images, data_samples=samples), optimizer)
    assert torch.isfinite(losses['loss'])
    changed = [not torch.equal(parameter, before[name]) for name, parameter in model.backbone.named_parameters()]
    return sum(changed) / len(changed)


def predict(model, images):
    """Probabilities ``(N, L)`` and the labels of each image."""
    samples = model.test_step(dict(inputs=images))
    return torch.stack([sample.pred_score for sample in samples]), [sample.pred_label.tolist() for sample in samples]


def check(model, images, tolerance=1e-3):
    """Trains a step, predicts and fuses a model of a backbone; returns the fused one."""
    assert train_step(model, images) > 0.5
    spread(model, images)
    with torch.inference_mode():
        scores, labels = predict(model, images)
        assert scores.std() > 0.2 and len({tuple(label) for label in labels}) > 1
        predictor = optimize_for_inference(model, torch.float32, images=images)
        found = predictor(images)
        torch.testing.assert_close(found, scores, atol=tolerance, rtol=0)
        assert [torch.where(score >= 0.5)[0].tolist() for score in found] == labels
        half = optimize_for_inference(model, images=images)(images)
    assert (half - scores).abs().mean() < 0.05
    return predictor


@pytest.mark.parametrize('backbone', BACKBONES, ids=lambda backbone: backbone.name)
def test_backbone_trains_predicts_and_is_fused(backbone, request, monkeypatch):
    if backbone.slow and not request.config.getoption('--slow'):
        pytest.skip('with --slow')
    warnings = []
    monkeypatch.setattr(fused_model, '_warn', warnings.append)
    torch.manual_seed(0)
    # Neighbors in a graph, where norms is None, change with rounding.
    predictor = check(backbone.model(), backbone.images(), 0.02 if backbone.norms is None else 1e-3)
    if backbone.norms is not None:
        # Only half precision may be too coarse for an untrained network.
        assert [warning for warning in warnings if 'float32' not in warning] == []
        assert sum(isinstance(module, nn.BatchNorm2d) for module in predictor.modules()) == backbone.norms


def test_usual_sizes_have_the_channels_of_the_page(request):
    if not request.config.getoption('--slow'):
        pytest.skip('with --slow')
    wrong = {}
    for backbone in BACKBONES:
        image = torch.randn(1, backbone.image_channels, backbone.usual_side, backbone.usual_side)
        try:
            with torch.inference_mode():
                backbone.model(small=False).eval()(image)
        except Exception as error:
            wrong[backbone.name] = str(error)
    assert wrong == {}


@pytest.mark.parametrize('name', EXCEPTIONS)
def test_exceptions_fail_for_the_reason_given(name):
    why, settings, error = EXCEPTIONS[name]
    if settings is None:
        assert 'not registered' in why and MODELS.get(name) is None
        return
    [base] = re.findall('`(.*)`', why)
    assert issubclass(MODELS.get(name), MODELS.get(base))
    model = classifier(dict(type=name, **settings), 32)
    with pytest.raises(Exception) as raised:
        model(torch.randn(2, 3, 64, 64))
    assert re.match(error, f'{raised.type.__name__}: {raised.value}')


@pytest.mark.parametrize('name', PRETRAINING)
def test_backbones_take_the_weights_of_pretraining(name):
    assert issubclass(MODELS.get(name), MODELS.get(PRETRAINING[name]))


def test_timm_is_asked_for_in_one_line():
    try:
        import timm  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match='^TIMMBackbone requires timm, please install it'):
            MODELS.build(dict(type='TIMMBackbone', model_name='resnet18'))
    else:
        pytest.skip('timm is installed')


@pytest.mark.parametrize(
    'settings, channels, side, layout',
    [
        (dict(model_name='resnet10t'), 512, 64, None),
        (dict(model_name='resnet10t', features_only=True), 512, 64, None),
        (dict(model_name='vit_tiny_patch16_224', img_size=64, depth=2), 192, 64, 'NLC'),
        (
            dict(model_name='swin_tiny_patch4_window7_224', depths=(1, 1, 1, 1), img_size=64, window_size=2),
            768,
            64,
            'NHWC',
        ),
    ],
    ids=lambda value: value['model_name'] if isinstance(value, dict) else '',
)
def test_backbones_of_timm(settings, channels, side, layout):
    pytest.importorskip('timm', reason='timm is not installed')
    torch.manual_seed(0)
    check(classifier(dict(type='TIMMBackbone', **settings), channels, layout=layout), draw_images(side))
