"""projects/mmseg, projects/mmpose and projects/mmaction2, in the runners of these projects, on drawn scenes."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import REPOSITORY, run
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from imcnn_plugin.attributes import ATTRIBUTES, IDENTITY_STABLE

PROJECTS = REPOSITORY / 'projects'
# The folder, the module, the attributes' loss, another metric, and the number of attributes.
CASES = dict(
    mmseg=('mmseg', 'aux_0.loss', 'mIoU', 40),
    mmpose=('mmpose', 'loss_attr', 'NME', 40),
    mmaction2=('mmaction', 'loss', 'attr/mAP', 28),
)

if missing := [module for module, *_ in CASES.values() if not find_spec(module)]:
    pytest.skip(f'{", ".join(missing)} not installed: bash tools/run_tests.sh --mm', allow_module_level=True)


@pytest.fixture(scope='session')
def scenes(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes') / 'scenes'
    run('projects/face_scenes.py', faces, '--out', folder, PYTHONPATH=str(REPOSITORY))
    return folder


@pytest.fixture(scope='module', params=CASES)
def project(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECTS / request.param)
        yield request.param


def small_config(project, scenes, work_dir):
    [path] = (PROJECTS / project / 'configs').glob('*.py')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SCENES', str(scenes))
        cfg = Config.fromfile(path)
    cfg.update(work_dir=str(work_dir), randomness=dict(seed=0))
    cfg.train_cfg.update(max_epochs=3, val_interval=3)
    for split in ('train', 'val', 'test'):
        cfg[f'{split}_dataloader'].update(num_workers=0, persistent_workers=False, batch_size=7)
    cfg.merge_from_dict({'default_hooks.logger': dict(type='LoggerHook', interval=1)})
    return cfg


@pytest.fixture(scope='module')
def trained(project, scenes, tmp_path_factory):
    runner = Runner.from_cfg(small_config(project, scenes, tmp_path_factory.mktemp(project)))
    runner.train()
    yield runner
    # What follows is in no project's scope.
    DefaultScope.get_instance('default', scope_name='mmengine')


def test_trains_and_evaluates(trained, project):
    module, loss, metric, labels = CASES[project]
    [path] = Path(trained.work_dir).glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in path.read_text().splitlines()]
    losses = np.array([step[loss] for step in steps if loss in step])
    # 56 images, or the 14 videos of their identities, in batches of 7.
    assert len(losses) == (6 if project == 'mmaction2' else 24) and np.isfinite(losses).all()
    assert losses[-2:].mean() < 0.95 * losses[0]
    assert {metric, 'attr/mean_accuracy', 'attr/accuracy/Young'} <= steps[-1].keys()
    assert len([key for key in steps[-1] if key.startswith('attr/accuracy/')]) == labels


def test_samples_have_labels_of_their_own_and_predictions(trained, project, scenes):
    module, *_, labels = CASES[project]
    rows = [line.split() for line in (scenes / 'list_attr_celeba.txt').read_text().splitlines()[2:]]
    truth = {name: np.array(values, int) > 0 for name, *values in rows}
    identity = dict(line.split() for line in (scenes / 'identity_CelebA.txt').read_text().splitlines())
    stable = [ATTRIBUTES.index(label) for label in IDENTITY_STABLE]
    of_identity = {identity[name]: row[stable] for name, row in truth.items()}
    model, dataset = trained.model.eval(), trained.val_dataloader.dataset
    for i, batch in enumerate(trained.val_dataloader):
        with torch.no_grad():
            samples = model.test_step(batch)
        for j, sample in enumerate(samples):
            record = dataset.get_data_info(7 * i + j)
            if project == 'mmaction2':
                expected = of_identity[Path(record['frame_dir']).name]
            else:
                assert sample.img_path == record['img_path']
                expected = truth[Path(record['img_path']).name]
            assert (np.asarray(sample.gt_score) == expected).all()
            assert sample.pred_score.shape == sample.thresholds.shape == (labels,)
            assert torch.equal(sample.pred_label, torch.where(sample.pred_score >= sample.thresholds)[0])
    stock = dict(mmseg='pred_sem_seg', mmpose='pred_instances', mmaction2='gt_label')
    assert stock[project] in sample and type(sample).__module__.startswith(module)


def test_predicts_what_the_project_does_and_the_head_on_its_features(trained, project):
    model = trained.model.eval()
    data = model.data_preprocessor(next(iter(trained.val_dataloader)), False)
    inputs = data['inputs']
    with torch.no_grad():
        found = model(**data, mode='predict')
        scores = torch.stack([sample.pred_score for sample in found])
        if project == 'mmseg':
            from mmseg.models import EncoderDecoder

            logits = model.auxiliary_head[-1](model.extract_feat(inputs))
            own = [sample.pred_sem_seg.data.clone() for sample in found]
            for sample, mask in zip(EncoderDecoder.predict(model, inputs, data['data_samples']), own):
                assert torch.equal(sample.pred_sem_seg.data, mask)
            # Without samples, as for a tensor of images.
            again = model.predict(inputs)
            torch.testing.assert_close(torch.stack([sample.pred_score for sample in again]), scores)
        elif project == 'mmpose':
            # Of the image itself, though the keypoints are also those of the mirrored one.
            assert model.test_cfg.flip_test
            logits = model.head.attributes(model.extract_feat(inputs))
            assert found[0].pred_instances.keypoints.shape == (1, 5, 2)
        else:
            # Two videos of four frames.
            assert inputs.shape[:2] == (2, 4)
            frames = model.backbone(inputs.flatten(0, 1))[-1].mean((2, 3))
            logits = model.cls_head(frames).view(2, 4, -1).mean(1)
    torch.testing.assert_close(scores, logits.sigmoid())


def test_a_checkpoint_is_resumed(trained, project, scenes, tmp_path):
    cfg = small_config(project, scenes, trained.work_dir)
    cfg.update(resume=True, experiment_name=f'resumed_{project}')
    runner = Runner.from_cfg(cfg)
    # The epochs are done: it only resumes.
    runner.train()
    state = runner.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in trained.model.state_dict().items())
    assert runner.epoch == 3 and runner.iter == trained.iter


def stock(project, scenes):
    """The config without anything of ours, which the project runs alone."""
    cfg = small_config(project, scenes, '')
    cfg.custom_imports = None
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    datasets = [cfg[f'{split}_dataloader'].dataset for split in ('train', 'val', 'test')]
    if project == 'mmseg':
        cfg.model.update(type='EncoderDecoder', auxiliary_head=None)
        for dataset in datasets:
            dataset.type = 'BaseSegDataset'
            del dataset['attributes']
        cfg.val_evaluator, best = dict(type='IoUMetric'), 'mIoU'
    elif project == 'mmpose':
        cfg.model.head.type = 'HeatmapHead'
        del cfg.model.head['attributes']
        for dataset in datasets:
            dataset.type = 'CocoDataset'
        cfg.val_evaluator, best = cfg.val_evaluator[0], 'NME'
    else:
        cfg.model.cls_head = dict(
            type='TSNHead',
            num_classes=28,
            in_channels=128,
            multi_class=True,
            loss_cls=dict(type='BCELossWithLogits'),
            average_clips='prob',
        )
        for dataset in datasets:
            dataset.pipeline = [step for step in dataset.pipeline if step['type'] != 'KeyMapper']
        cfg.val_evaluator = dict(type='AccMetric', metric_list=('mean_average_precision',))
        best = 'acc/mean_average_precision'
    cfg.test_evaluator = cfg.val_evaluator
    cfg.merge_from_dict(
        {'default_hooks.checkpoint': dict(type='CheckpointHook', interval=1, save_best=best, rule='greater')}
    )
    return cfg


def test_checkpoints_of_the_project_alone_are_saved_and_resumed_as_without_the_import(project, scenes, tmp_path):
    stock(project, scenes).dump(tmp_path / 'stock.py')
    assert 'imcnn' not in (tmp_path / 'stock.py').read_text()
    # Torch alone reads weights only, which mmengine's checkpoints are not: the import adds what they hold.
    reads_all = dict(TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1')
    for name, environment in dict(without=reads_all, with_=reads_all, safely={}).items():
        run(
            'tests/test_mm_projects/stock_run.py',
            tmp_path / 'stock.py',
            tmp_path / name,
            'without' if name == 'without' else 'with',
            0,
            PYTHONPATH=str(REPOSITORY),
            **environment,
        )
    plain, *others = (
        torch.load(tmp_path / name / 'epoch_2.pth', weights_only=False) for name in ('without', 'with_', 'safely')
    )
    assert list((tmp_path / 'without').glob('best_*.pth'))
    for other in others:
        assert other['meta']['iter'] == plain['meta']['iter'] > 2
        assert other['message_hub'].keys() == plain['message_hub'].keys()
        assert all(torch.equal(value, other['state_dict'][name]) for name, value in plain['state_dict'].items())
