import shutil

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from imcnn_plugin.checkpoints import load_model
from imcnn_plugin.engine import build_runner
from imcnn_plugin.errors import ConfigError

KIND = 'DistillationPreprocessor'


@pytest.fixture(scope='module')
def options(best):
    """A preprocessor as the teacher's, but for crop and flip, which would be another chance."""
    return dict(type=KIND, teachers=str(best), crop_size=64)


def batch(labels, stacked):
    images = torch.randint(256, (len(labels), 3, 64, 64), dtype=torch.uint8)
    if stacked:
        return dict(inputs=images, data_samples=DataSample(gt_score=labels.clone()))
    return dict(inputs=list(images), data_samples=[DataSample().set_gt_score(row) for row in labels])


@pytest.mark.parametrize('stacked', [True, False])
def test_targets_are_between_labels_and_predictions(best, options, stacked):
    labels = torch.randint(-1, 2, (5, 40)).float()
    found = MODELS.build(dict(options, share=0.25)).forward(batch(labels, stacked), training=True)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        taught = load_model(best).model(found['inputs'], mode='tensor').float().sigmoid()
    samples = found['data_samples']
    target = samples.gt_score if stacked else torch.stack([sample.gt_score for sample in samples])
    expected = torch.where(labels < 0, taught, 0.75 * labels + 0.25 * taught)
    # Memory formats differ, and bfloat16 with them.
    torch.testing.assert_close(target, expected, atol=0.01, rtol=0)
    assert not torch.equal(target, labels)


def test_evaluation_has_its_labels(options):
    labels = torch.randint(-1, 2, (5, 40)).float()
    preprocessor = MODELS.build(dict(options, teachers='/nowhere.pth'))
    assert torch.equal(preprocessor.forward(batch(labels, True))['data_samples'].gt_score, labels)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(share=1.5), 'share is 1.5, expected 0 to 1'),
        (dict(teachers=[]), 'teachers is empty'),
        (dict(mean=(0, 0, 0)), r'epoch_1\.pth: data_preprocessor\.mean differs'),
        (dict(to_rgb=False), r'epoch_1\.pth: data_preprocessor\.to_rgb differs'),
    ],
)
def test_what_does_not_fit_is_rejected(options, change, message):
    with pytest.raises(ConfigError, match=message):
        MODELS.build({**options, **change}).forward(batch(torch.zeros(2, 40), True), training=True)


def test_other_labels_are_rejected(options):
    with pytest.raises(ConfigError, match=r'epoch_1\.pth predicts 40 labels, but the images have 3'):
        MODELS.build(options).forward(batch(torch.zeros(2, 3), True), training=True)


def test_a_student_needs_no_teacher_afterwards(best, small_cfg, tmp_path):
    teacher = shutil.copy(best, tmp_path / 'teacher.pth')
    small_cfg.model.data_preprocessor.update(type=KIND, teachers=[str(teacher)] * 2)
    small_cfg.train_cfg.max_epochs = 1
    build_runner(small_cfg).train()
    teacher.unlink()
    [student] = tmp_path.glob('epoch_1.pth')
    model = load_model(student).model
    assert type(model.data_preprocessor).__name__ == KIND
    plain = load_model(best).model
    assert {*model.state_dict()} == {*plain.state_dict()}


def test_building_the_teachers_draws_no_random_numbers(options):
    preprocessor, drawn = MODELS.build(options), []
    # They are built in the first call.
    for _ in range(2):
        torch.manual_seed(3)
        preprocessor.forward(batch(torch.zeros(2, 40), True), training=True)
        drawn.append(torch.rand(4))
    assert torch.equal(*drawn)


def test_teachers_may_be_calibrated_and_labels_indices(best, options, tmp_path):
    content = torch.load(best, weights_only=True)
    content['state_dict']['head.attr_head.temperature'].fill_(3)
    torch.save(content, tmp_path / 'calibrated.pth')
    data = batch(torch.zeros(3, 40), False)
    images = torch.stack(data['inputs'])
    found = MODELS.build(dict(options, teachers=str(tmp_path / 'calibrated.pth'), share=1.0))
    samples = [DataSample().set_gt_label([0, number]) for number in (1, 2, 3)]
    result = found.forward(dict(inputs=list(images), data_samples=samples), training=True)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        logits = load_model(best).model(result['inputs'], mode='tensor').float()
    target = torch.stack([sample.gt_score for sample in result['data_samples']])
    torch.testing.assert_close(target, (logits / 3).sigmoid())


def test_teachers_may_have_heads_of_mmpretrain(options, tmp_path):
    head = dict(type='MultiLabelLinearClsHead', num_classes=40, in_channels=512)
    model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), head=head)
    model.update(neck=dict(type='GlobalAveragePooling'), data_preprocessor=dict(type='FacePreprocessor'))
    weights = MODELS.build(dict(model, type='mmpretrain.ImageClassifier')).state_dict()
    meta = dict(cfg=Config(dict(model=model, default_scope='mmpretrain')).pretty_text)
    torch.save(dict(meta=meta, state_dict=weights), tmp_path / 'a.pth')
    preprocessor = MODELS.build(dict(options, teachers=str(tmp_path / 'a.pth'), share=1.0))
    result = preprocessor.forward(batch(torch.zeros(2, 40), True), training=True)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        logits = load_model(tmp_path / 'a.pth').model(result['inputs'], mode='tensor').float()
    torch.testing.assert_close(result['data_samples'].gt_score, logits.sigmoid(), rtol=0, atol=0.02)
