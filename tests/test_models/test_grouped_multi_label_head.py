import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope, Registry
from mmengine.runner import load_state_dict
from mmengine.structures import BaseDataElement, InstanceData
from mmpretrain.datasets import PackInputs
from mmpretrain.evaluation import MultiLabelMetric
from mmpretrain.models.losses import CrossEntropyLoss
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS
from imcnn_plugin.errors import ConfigError, DataError

CLASSES = ['round', 'red', 'striped', 'small', 'heavy']
GROUPS = [
    dict(name='look', slice=1, labels=['striped', 'red']),
    dict(name='all', labels=['heavy']),
    dict(name='form', slice=0, labels=['small', 'round']),
]


def build_head(**kwargs):
    settings = dict(
        type='mmpretrain.GroupedMultiLabelHead', classes=CLASSES, groups=GROUPS, in_channels=8, num_slices=2
    )
    return MODELS.build({**settings, **kwargs})


def one_module_a_group(head, groups, x):
    """The same head, group by group: ``x`` is (N, num_slices, dims)."""
    logits = {}
    for whole, bank in zip((False, True), head.banks):
        members = [group for group in groups if (group.get('slice') is None) == whole]
        row = 0
        for i, group in enumerate(members):
            features = x.flatten(1) if whole else x[:, group['slice']].flatten(1)
            for layer in bank.hidden:
                if hasattr(layer, 'weight'):
                    features = (features @ layer.weight[i] + layer.bias[i]).relu()
            for label in group['labels']:
                logits[label] = features @ bank.fc.weight[row] + bank.fc.bias[row]
                row += 1
    return torch.stack([logits[label] for label in head.classes], 1)


@pytest.mark.parametrize('hidden_dims', [(), (6,), (6, 4)])
@pytest.mark.parametrize('groups', [GROUPS, GROUPS[::-1]])
def test_logits_in_label_order_equal_one_module_per_group(hidden_dims, groups):
    torch.manual_seed(0)
    head = build_head(groups=groups, hidden_dims=hidden_dims, in_size=(2, 3))
    x = torch.randn(4, 8, 2, 3)
    torch.testing.assert_close(head((x,)), one_module_a_group(head, groups, x.unflatten(1, (2, 4))))


def test_gradient_reaches_only_the_slice_of_the_group():
    head = MODELS.build(
        dict(
            type='mmpretrain.GroupedMultiLabelHead',
            classes=ATTRIBUTES,
            groups=NINE_GROUPS,
            in_channels=24,
            num_slices=6,
            in_size=(2, 2),
            hidden_dims=(8, 8),
        )
    )
    for group in NINE_GROUPS:
        x = torch.randn(3, 24, 2, 2, requires_grad=True)
        logits = head((x,))
        # The square reaches hidden layers that ReLU would otherwise cut off for some seed.
        sum(logits[:, ATTRIBUTES.index(label)].square().sum() for label in group['labels']).backward()
        reached = x.grad.unflatten(1, (6, 4)).abs().sum((0, 2, 3, 4))
        assert reached[group['slice']] > 0
        assert (reached > 0).sum() == 1


@pytest.mark.parametrize(
    'loss',
    [
        None,
        dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
        dict(type='mmpretrain.AsymmetricLoss'),
        dict(type='mmpretrain.FocalLoss'),
    ],
)
def test_unknown_labels_change_neither_loss_nor_gradient(loss):
    head = build_head(loss=loss)
    x = torch.randn(3, 8)
    samples = [
        DataSample().set_gt_score(row) for row in torch.tensor([[1, 0, 1, 0, -1], [0, -1, 1, 1, -1], [1, 1, 0, 0, -1]])
    ]
    losses = []
    for bias in (-3.0, 3.0):
        head.banks[1].fc.bias.data.fill_(bias)
        head.zero_grad()
        losses.append(head.loss((x,), samples)['loss'])
        losses[-1].backward()
        assert head.banks[1].fc.weight.grad.eq(0).all() and head.banks[0].fc.weight.grad.ne(0).any()
    assert losses[0] == losses[1] > 0


@pytest.mark.parametrize('loss', [None, dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True)])
def test_a_batch_without_known_labels_has_loss_0_and_finite_gradients(loss):
    head = build_head(loss=loss)
    value = head.loss((torch.randn(3, 8),), [DataSample().set_gt_score(torch.full((5,), -1)) for _ in range(3)])[
        'loss'
    ]
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


def test_loss_is_the_mean_over_known_labels():
    head = build_head()
    x = torch.randn(3, 8)
    target = torch.tensor([[1, 0, 1, 0, 1], [0, 0, 1, 1, -1], [1, 1, 0, 0, -1]])
    loss = head.loss((x,), [DataSample().set_gt_score(row) for row in target])['loss']
    entropy = nn.functional.binary_cross_entropy_with_logits(head((x,)), target.clamp(min=0).float(), reduction='none')
    assert loss.item() == pytest.approx((entropy[:, :4].mean(0).sum() + entropy[0, 4]).item(), rel=1e-5)


def test_stacked_samples_and_a_list_give_the_same():
    head = build_head()
    x, target = torch.randn(3, 8), torch.randint(-1, 2, (3, 5))
    stacked = DataSample()
    stacked.gt_score = target
    singles = [DataSample().set_gt_score(row) for row in target]
    assert head.loss((x,), stacked)['loss'] == head.loss((x,), singles)['loss']
    [whole] = head.predict((x,), stacked)
    singles = head.predict((x,), singles)
    assert torch.equal(whole.pred_score, torch.stack([sample.pred_score for sample in singles]))
    assert all(torch.equal(sample.pred_label, torch.where(sample.pred_score >= 0.5)[0]) for sample in singles)
    assert len(head.predict((x,))) == 3


def calibrated(head):
    head.thresholds.copy_(torch.tensor([0.2, 0.4, 0.5, 0.6, 0.8]))
    head.temperature.copy_(torch.tensor([0.5, 1.0, 2.0, 1.0, 3.0]))
    return head


def test_predicts_with_temperature_and_thresholds():
    torch.manual_seed(0)
    head, x = calibrated(build_head()), torch.randn(20, 8)
    probabilities = 1 / (1 + torch.exp(-head((x,)) / torch.tensor([0.5, 1.0, 2.0, 1.0, 3.0])))
    samples = head.predict((x,))
    for sample, probability in zip(samples, probabilities):
        torch.testing.assert_close(sample.pred_score, probability)
        expected = [i for i, thr in enumerate([0.2, 0.4, 0.5, 0.6, 0.8]) if probability[i] >= thr]
        assert sample.pred_label.tolist() == expected
    [whole] = head.predict((x,), DataSample())
    torch.testing.assert_close(whole.pred_score, probabilities)
    assert all(torch.equal(sample.thresholds, head.thresholds) for sample in (whole, *samples))


def test_the_loss_ignores_the_calibration():
    head, x = build_head(), torch.randn(3, 8)
    samples = [DataSample().set_gt_score(row) for row in torch.randint(0, 2, (3, 5))]
    before = head.loss((x,), samples)['loss']
    assert calibrated(head).loss((x,), samples)['loss'] == before
    assert not [name for name, _ in head.named_parameters() if name in ('thresholds', 'temperature')]


@pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
def test_a_checkpoint_holds_the_calibration_and_may_have_none(load, capsys):
    head = build_head(thr=0.3)
    assert head.thresholds.tolist() == pytest.approx([0.3] * 5) and head.temperature.tolist() == [1] * 5
    old = {key: value.clone() for key, value in head.state_dict().items() if key not in ('thresholds', 'temperature')}
    other = build_head()
    load(other, calibrated(head).state_dict(), strict=True)
    assert torch.equal(other.thresholds, head.thresholds) and torch.equal(other.temperature, head.temperature)
    # Also into a head that is calibrated.
    load(head, old, strict=True)
    assert head.thresholds.tolist() == pytest.approx([0.3] * 5) and head.temperature.tolist() == [1] * 5
    assert 'thresholds' not in old and capsys.readouterr().out == ''
    # Those of an uncalibrated head do not undo another threshold.
    load(head, build_head().state_dict(), strict=True)
    assert head.thresholds.tolist() == pytest.approx([0.3] * 5)


def test_channels_may_be_last():
    head, x = build_head(in_size=(3, 2)), torch.randn(2, 8, 3, 2)
    expected = head(x)
    head.layout = 'NHWC'
    torch.testing.assert_close(head((x.permute(0, 2, 3, 1),)), expected)


class OtherSample(BaseDataElement):
    """A sample of a project that has none of mmpretrain's setters."""


def test_tensors_and_samples_of_other_projects_give_the_same():
    head, x, target = calibrated(build_head()), torch.randn(3, 8), torch.randint(-1, 2, (3, 5))
    expected = head.loss((x,), [DataSample().set_gt_score(row) for row in target])['loss']
    instances = InstanceData(gt_score=target)
    others = [OtherSample(gt_score=row) for row in target]
    # Packed by the transform of another project, such as mmseg's, as one of its meta_keys.
    packed = [OtherSample(metainfo=dict(gt_score=row.numpy())) for row in target]
    for labels in (target, target.float(), instances, others, packed):
        assert head.loss(x, labels)['loss'].item() == expected.item()
    assert torch.equal(head.predict(x, packed)[0].gt_label, torch.where(target[0] == 1)[0])
    assert head.loss_by_feat(head(x), target)['loss'] == expected
    own = head.predict(x)
    assert head.predict_by_feat(head(x), others) is others
    for sample, other in zip(own, others):
        assert torch.equal(other.pred_score, sample.pred_score) and torch.equal(other.pred_label, sample.pred_label)
        assert torch.equal(other.thresholds, head.thresholds)
    assert torch.equal(others[0].gt_label, torch.where(target[0] == 1)[0])
    assert head.predict(x, instances) == [instances] and len(instances[1:]) == 2
    assert torch.equal(instances.pred_score, torch.stack([sample.pred_score for sample in own]))
    assert torch.equal(instances.thresholds, head.thresholds)


@pytest.mark.parametrize('loss', [None, dict(type='CrossEntropyLoss', use_sigmoid=True)])
def test_no_rows_have_loss_0_and_no_predictions(loss):
    """As in a batch of images without a face."""
    head = build_head(hidden_dims=(6,), loss=loss, in_size=(7, 7))
    value = head.loss(torch.randn(0, 8, 7, 7), torch.zeros(0, 5))['loss']
    value.backward()
    assert value == 0 and all(parameter.grad.eq(0).all() for parameter in head.parameters())
    assert head.predict(torch.randn(0, 8, 7, 7)) == []
    [instances] = head.predict(torch.randn(0, 8, 7, 7), InstanceData(bboxes=torch.zeros(0, 4)))
    assert instances.pred_score.shape == (0, 5)


def test_labels_and_samples_of_another_number_are_one_line():
    head, x = build_head(), torch.randn(3, 8)
    with pytest.raises(ConfigError, match=r'the labels are \(3, 4\) and the logits \(3, 5\): both must be \(N, 5\)'):
        head.loss(x, torch.zeros(3, 4))
    with pytest.raises(ConfigError, match='3 rows of logits for 2 data samples: give one for each'):
        head.predict(x, [DataSample(), DataSample()])


@pytest.mark.parametrize('kind', ['GroupedMultiLabelHead', 'AuxMultiLabelHead'])
def test_the_frames_of_a_video_are_averaged(kind):
    head, x = build_head(type=f'mmpretrain.{kind}'), torch.randn(6, 8)
    means = head(x).view(2, 3, 5).mean(1)
    target = torch.tensor([[1, 0, 1, 0, -1], [0, 1, 1, 0, 1]])
    torch.testing.assert_close(head(x, num_segs=3), means)
    assert head.loss(x, target, num_segs=3)['loss'] == head.loss_by_feat(means, target)['loss']
    assert torch.equal(head.predict(x, num_segs=3)[1].pred_score, means[1].sigmoid())


def test_names_are_of_mmpretrain_in_the_scope_of_another_project():
    other = Registry('model', parent=ROOT_MODELS, scope='other_project')
    other.register_module(name='CrossEntropyLoss', module=nn.BCELoss)
    try:
        with DefaultScope.overwrite_default_scope('other_project'):
            head = ROOT_MODELS.build(
                dict(
                    type='mmpretrain.JointHead',
                    attr_head=dict(
                        type='GroupedMultiLabelHead',
                        classes=CLASSES,
                        groups=GROUPS,
                        in_channels=8,
                        num_slices=2,
                        loss=dict(type='CrossEntropyLoss', use_sigmoid=True),
                    ),
                    id_head=dict(
                        type='IdentityHead', num_identities=3, in_channels=8, neck=dict(type='GlobalAveragePooling')
                    ),
                    loss=dict(type='JointLoss'),
                )
            )
    finally:
        del ROOT_MODELS.children['other_project']
    assert isinstance(head.attr_head.loss_module, CrossEntropyLoss)


def test_takes_gt_label_without_gt_score():
    head = build_head()
    x = torch.randn(2, 8)
    by_index = [DataSample().set_gt_label([0, 3]), DataSample().set_gt_label([4])]
    by_score = [DataSample().set_gt_score([1, 0, 0, 1, 0]), DataSample().set_gt_score([0, 0, 0, 0, 1])]
    assert head.loss((x,), by_index)['loss'] == head.loss((x,), by_score)['loss']


@pytest.mark.parametrize(
    'feats, settings',
    [
        ((torch.randn(2, 8, 7, 7),), {}),
        ((torch.randn(2, 4, 14, 14), torch.randn(2, 8, 7, 7)), {}),
        ((torch.randn(2, 8),), {}),
        (torch.randn(2, 8), {}),
        ((torch.randn(2, 50, 8),), dict(layout='NLC')),
        ((torch.randn(2, 8, 49),), dict(layout='NCL')),
        (((torch.randn(2, 8), torch.randn(2, 8)),), {}),
        ((torch.randn(2, 8, 3, 2),), dict(in_size=(3, 2))),
        ((torch.randn(2, 3, 2, 8),), dict(in_size=(3, 2), layout='NHWC')),
    ],
)
def test_takes_the_outputs_of_backbones(feats, settings):
    assert build_head(**settings)(feats).shape == (2, 5)


@pytest.mark.parametrize(
    'feats, settings, message',
    [
        ((torch.randn(2, 50, 8),), {}, "set layout to one of \\('NLC', 'NCL'\\)"),
        ((torch.randn(2, 6, 7, 7),), {}, '6 channels at 49 positions, but the head has in_channels=8'),
        ((torch.randn(2, 8, 7, 7),), dict(in_size=(4, 4)), 'in_size=\\(4, 4\\)'),
        ((torch.randn(2, 7, 7, 8),), {}, r"or set layout='NHWC' if the map \(2, 7, 7, 8\) has its channels last"),
        (
            (torch.randn(2, 8, 7, 7),),
            dict(layout='NHCW'),
            r"layout is 'NHCW', expected one of \('NLC', 'NCL', 'NHWC'\)",
        ),
    ],
)
def test_rejects_features_of_another_shape(feats, settings, message):
    with pytest.raises(ConfigError, match=message):
        build_head(**settings)(feats)


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(groups=GROUPS[:2]), r"none or several: \['round', 'small'\]"),
        (dict(groups=GROUPS + [dict(name='again', labels=['red'])]), r"several: \['red'\]"),
        (dict(groups=GROUPS + [dict(name='other', labels=['blue'])]), r"not in classes: \['blue'\]"),
        (dict(num_slices=1), 'group look reads slice 1, but num_slices is 1'),
        (dict(num_slices=3), 'cannot be cut into num_slices=3'),
    ],
)
def test_rejects_groups_that_do_not_fit(settings, message):
    with pytest.raises(ConfigError, match=message):
        build_head(**settings)


@pytest.mark.parametrize(
    'loss, num_classes',
    [
        # A softmax over the labels is not 0 with two of them at once, and always 0 with one.
        (dict(type='mmpretrain.CrossEntropyLoss'), 5),
        (dict(type='mmpretrain.CrossEntropyLoss'), 2),
        (dict(type='mmpretrain.CrossEntropyLoss'), 1),
        (dict(type='mmpretrain.CrossEntropyLoss', use_soft=True), 5),
        (dict(type='mmpretrain.AsymmetricLoss', use_sigmoid=False), 5),
        (dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True, loss_weight=0.0), 5),
    ],
)
def test_rejects_a_loss_that_is_none_for_many_labels(loss, num_classes):
    classes = CLASSES[:num_classes]
    with pytest.raises(ConfigError, match='so it is no multi-label loss: CrossEntropyLoss needs use_sigmoid=True'):
        build_head(classes=classes, groups=[dict(name='all', labels=classes)], loss=loss)


def test_rejects_zeros_and_ones_in_gt_label():
    samples = [DataSample().set_gt_label([0, 1]), DataSample().set_gt_label([0, 1, 1, 0, 0])]
    with pytest.raises(DataError, match=r'gt_label is \[0, 1, 1, 0, 0\], expected the indices .* belong in gt_score'):
        build_head().loss((torch.randn(2, 8),), samples)


def test_init_cfg_of_the_user_is_kept():
    head = build_head(hidden_dims=(6,), init_cfg=dict(type='Constant', layer=['GroupedLinear', 'Linear'], val=2.0))
    head.init_weights()
    assert all(parameter.eq(2).all() for name, parameter in head.named_parameters() if name.endswith('weight'))


def test_dropout_follows_each_hidden_layer_and_keeps_parameter_names():
    head = build_head(hidden_dims=(6, 6), dropout=0.5)
    layers = [type(layer).__name__ for layer in head.banks[0].hidden.modules()][1:]
    assert layers == ['GroupedLinear', 'Sequential', 'ReLU', 'Dropout'] * 2
    assert list(head.state_dict()) == list(build_head(hidden_dims=(6, 6)).state_dict())


BACKBONES = dict(
    resnet18=(dict(type='mmpretrain.ResNet', depth=18), dict(type='mmpretrain.GlobalAveragePooling'), 512, 64),
    resnet18_map=(dict(type='mmpretrain.ResNet', depth=18), None, 512, 64),
    vit=(dict(type='mmpretrain.VisionTransformer', arch='deit-tiny', img_size=32, patch_size=16), None, 192, 32),
)


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('scope', ['mmpretrain', 'mmengine'])
def test_on_backbones_of_mmpretrain_with_its_own_parts(name, scope):
    """The head alone, as another project uses it: stock preprocessor, list of samples, stock metric, any scope."""
    backbone, neck, channels, size = BACKBONES[name]
    with DefaultScope.overwrite_default_scope(scope):
        model = ROOT_MODELS.build(
            ConfigDict(
                type='mmpretrain.ImageClassifier',
                data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3),
                backbone=backbone,
                neck=neck,
                head=dict(
                    type='mmpretrain.GroupedMultiLabelHead',
                    classes=CLASSES,
                    groups=GROUPS,
                    in_channels=channels,
                    num_slices=2,
                    hidden_dims=(16,),
                    loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True),
                ),
            )
        )
    torch.manual_seed(0)
    model.init_weights()
    pack = PackInputs()
    rng = np.random.default_rng(0)
    batch = pseudo_collate(
        [
            pack(dict(img=rng.integers(0, 256, (size, size, 3), np.uint8), gt_score=np.array([1, 0, 1, 0, i % 2])))
            for i in range(4)
        ]
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(12):
        [loss] = model(**model.data_preprocessor(batch, training=True), mode='loss').values()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    model.eval()
    metric = MultiLabelMetric(thr=0.5)
    metric.process(batch, [sample.to_dict() for sample in model.val_step(batch)])
    assert 0 <= metric.evaluate(4)['multi-label/f1-score'] <= 100
    assert model.extract_feat(model.data_preprocessor(batch)['inputs'], stage='pre_logits').shape == (4, 48)
