"""Our heads and backbones in mmpretrain's own models of several tasks, and of retrieval."""

import json

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample, MultiTaskDataSample

from imcnn_plugin.attributes import ATTRIBUTES

LABELS = ['Smiling', 'Eyeglasses', 'Bangs']
HEAD = dict(
    type='MultiTaskHead',
    task_heads=dict(
        face=dict(
            type='GroupedMultiLabelHead',
            classes=LABELS,
            groups=[dict(name='mouth', labels=['Smiling']), dict(name='eyes', labels=['Eyeglasses', 'Bangs'])],
            in_channels=16,
        ),
        gender=dict(type='LinearClsHead', num_classes=2, in_channels=16, loss=dict(type='CrossEntropyLoss')),
    ),
)
BACKBONE = dict(type='ResNet', depth=18, stem_channels=16, base_channels=2)


@pytest.fixture
def mmpretrain_scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def sample(**tasks):
    result = MultiTaskDataSample()
    for name, task in tasks.items():
        result.set_field(task, name)
    return result


def test_each_task_learns_from_its_own_samples(mmpretrain_scope):
    torch.manual_seed(0)
    head, feats = MODELS.build(HEAD), torch.randn(3, 16)
    face = DataSample().set_gt_score(torch.tensor([1, 0, -1]))
    samples = [sample(face=face), sample(gender=DataSample().set_gt_label(1)), sample(face=face)]
    losses = head.loss((feats,), samples)
    assert losses['face_mask_size'] == 2 and losses['gender_mask_size'] == 1
    own = head.task_heads['face'].loss_by_feat(head((feats,))['face'][::2], [face, face])
    assert losses['face_loss'].item() == pytest.approx(own['loss'].item())
    assert head.loss((feats[1:2],), samples[1:2])['face_loss'] == 0


@pytest.mark.parametrize('given', [True, False])
def test_each_task_predicts_for_every_image(mmpretrain_scope, given):
    head, feats = MODELS.build(HEAD), torch.randn(2, 16)
    face = DataSample().set_gt_score(torch.tensor([1, 0, -1]))
    found = head.predict((feats,), [sample(face=face), sample(gender=DataSample().set_gt_label(1))] if given else None)
    expected = head((feats,))['face'].sigmoid()
    for row, result in zip(expected, found):
        torch.testing.assert_close(result.face.pred_score, row)
        assert result.gender.pred_score.shape == (2,)
    assert [result.face.eval_mask for result in found] == [given, False]


def test_a_run_of_several_tasks(faces, tmp_path):
    """Half of the images have labels of the face, the others a gender."""
    lines = [line.split() for line in (faces / 'list_attr_celeba.txt').read_text().splitlines()[2:]]
    records = []
    for number, (name, *values) in enumerate(lines):
        positive = [label for label, value in zip(ATTRIBUTES, values) if value == '1']
        tasks = dict(face=[i for i, label in enumerate(LABELS) if label in positive], gender=int('Male' in positive))
        records.append(
            dict(img_path=name, gt_label={'face': tasks['face']} if number % 2 else {'gender': tasks['gender']})
        )
    assert [] in [record['gt_label'].get('face') for record in records]
    (tmp_path / 'tasks.json').write_text(json.dumps(dict(metainfo=dict(tasks=['face', 'gender']), data_list=records)))
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(32, 32)),
        dict(type='PackMultiTaskInputs', multi_task_fields=('gt_label',)),
    ]
    loader = dict(
        batch_size=20,
        dataset=dict(
            type='MultiTaskDataset',
            ann_file=str(tmp_path / 'tasks.json'),
            data_root=str(faces / 'img_align_celeba'),
            pipeline=pipeline,
        ),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    metrics = dict(face=[dict(type='PerAttributeAccuracy', classes=LABELS)], gender=[dict(type='Accuracy')])
    runner = Runner(
        model=dict(
            type='ImageClassifier',
            data_preprocessor=dict(type='FacePreprocessor'),
            backbone=BACKBONE,
            neck=dict(type='GlobalAveragePooling'),
            head=HEAD,
        ),
        work_dir=str(tmp_path / 'run'),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        val_cfg=dict(),
        val_evaluator=dict(type='MultiTasksMetric', task_metrics=metrics),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.01)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        default_scope='mmpretrain',
        experiment_name=tmp_path.name,
    )
    runner.train()
    [log] = tmp_path.glob('run/*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [line['face_loss'] for line in lines if 'face_loss' in line]
    assert losses[-1] < losses[0]
    assert 0 < lines[-1]['face_attr/mean_accuracy'] <= 100 and lines[-1]['gender_accuracy/top1'] > 0


def test_images_are_found_by_their_features(small_cfg):
    torch.manual_seed(0)
    backbone, loader = small_cfg.model.backbone, small_cfg.test_dataloader
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='ImageToImageRetriever',
                image_encoder=[backbone, dict(type='GlobalAveragePooling')],
                prototype=loader,
                head=dict(type='IdentityHead', num_identities=14, in_channels=192, embedding_dims=8),
                data_preprocessor=dict(type='FacePreprocessor', crop_size=64),
                topk=3,
            )
        )
        train = Runner.build_dataloader(small_cfg.train_dataloader)
        losses = model.train_step(next(iter(train)), OptimWrapper(torch.optim.SGD(model.parameters(), 0.01)))
        assert torch.isfinite(losses['loss_id'])
        model.eval()
        [batch] = Runner.build_dataloader(loader)
        # Of images alone: mmpretrain takes no more scores than the samples have labels.
        found = model.test_step(dict(inputs=batch['inputs']))
        assert [sample.pred_label[0] for sample in found] == list(range(16))
        assert all(len(sample.pred_label) == 3 and sample.pred_score.shape == (16,) for sample in found)
        with pytest.raises(AssertionError, match='The length of score 16 should be equal to the num_classes 40'):
            model.test_step(batch)
