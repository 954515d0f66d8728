"""projects/mmdet through mmdet's own runner and registries, on drawn photos."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import REPOSITORY, run, start
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from PIL import Image

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.synthetic import write_photos

pytest.importorskip('mmcv._ext', reason='mmcv has no operators here: bash tools/run_tests.sh --mm')
pytest.importorskip('mmdet', reason='mmdet is not installed: bash tools/run_tests.sh --mm')
PROJECT = REPOSITORY / 'projects' / 'mmdet'
PATHS = f'{PROJECT}:{REPOSITORY}'
CONFIG = PROJECT / 'configs' / 'faster_rcnn_r18_fpn_faces.py'


@pytest.fixture(scope='module', autouse=True)
def project():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT)
        yield
    # What follows is in no project's scope.
    DefaultScope.get_instance('default', scope_name='mmengine')


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """20 photos, of which 16 are for training."""
    folder = tmp_path_factory.mktemp('photos') / 'drawn'
    write_photos(folder, photos=20, jobs=1)
    return folder


def small_config(photos, work_dir):
    """The showcase with a narrow network and small photos."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('FACE_PHOTOS', str(photos))
        cfg = Config.fromfile(CONFIG)
    cfg.work_dir = str(work_dir)
    for pipeline in ('train', 'val'):
        [resize] = [step for step in cfg[f'{pipeline}_dataloader'].dataset.pipeline if step.type == 'Resize']
        resize.scale = (128, 96)
    cfg.model.backbone.base_channels = 8
    cfg.model.neck.in_channels = [8, 16, 32, 64]
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].update(num_workers=0, persistent_workers=False, batch_size=4)
    cfg.default_hooks.logger.interval = 1
    return cfg


@pytest.fixture(scope='module')
def trained(photos, tmp_path_factory):
    """A runner after five epochs of four steps, and what it evaluated at the end."""
    cfg = small_config(photos, tmp_path_factory.mktemp('trained'))
    cfg.train_cfg.update(max_epochs=5, val_interval=5)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def history(runner, key):
    values, _ = runner.message_hub.get_scalar(key).data
    return values


def test_trains_and_evaluates(trained):
    for key in ('train/loss', 'train/loss_attr', 'train/loss_cls', 'train/loss_rpn_cls'):
        values = history(trained, key)
        assert len(values) == 20 and np.isfinite(values).all()
    assert history(trained, 'train/loss_attr')[-4:].mean() < 0.9 * history(trained, 'train/loss_attr')[0]
    # In 20 steps nothing is detected well, but mmdet's metric is that of the boxes.
    assert 0 <= history(trained, 'val/coco/bbox_mAP')[-1] <= 1


def test_each_detection_has_attributes_and_a_box_in_the_photo(trained):
    model = trained.model.eval()
    batch = next(iter(trained.val_dataloader))
    for limit, least in ((0.0, 1), (1.1, 0)):
        model.roi_head.test_cfg.score_thr = limit
        with torch.no_grad():
            samples = model.test_step(batch)
        assert len(samples) == 4
        for sample in samples:
            found = sample.pred_instances
            assert found.pred_score.shape == (len(found), 40) and len(found) >= least
            assert len(found) == 0 or least
            assert ((found.pred_score >= 0) & (found.pred_score <= 1)).all()
            assert found.thresholds.shape == (40,)
            assert 'masks' not in found
            assert sample.gt_instances.gt_score.shape == (len(sample.gt_instances), 40)
            # Of the photo, not of the network's smaller input.
            assert sample.ori_shape == (240, 320)
            if least:
                assert found.bboxes[:, 2].max() > 140
    model.roi_head.test_cfg.score_thr = 0.05


def test_attributes_are_those_of_the_box(trained):
    """Each row is what the head says of that box alone, whatever the order of the detections."""
    model = trained.model.eval()
    head = model.roi_head
    torch.manual_seed(0)
    x = tuple(torch.randn(2, 64, 24 // 2**level, 32 // 2**level) for level in range(5))
    boxes = [torch.tensor([[8.0, 8, 60, 70], [30, 20, 80, 90]]), torch.tensor([[5.0, 30, 50, 80]])]
    metas = [dict(scale_factor=(0.5, 0.5))] * 2
    results = head.predict_mask(x, metas, [InstanceData(bboxes=box) for box in boxes], rescale=True)
    for image, (result, box) in enumerate(zip(results, boxes)):
        assert torch.equal(result.bboxes, 2 * box)
        for row in range(len(box)):
            alone = tuple(level[image : image + 1] for level in x)
            [again] = head.predict_mask(alone, metas[:1], [InstanceData(bboxes=box[row : row + 1])])
            assert torch.allclose(again.pred_score[0], result.pred_score[row], atol=1e-5)


def test_attribute_loss_is_that_of_the_assigned_faces(trained):
    """Proposals learn the labels of the face that they overlap, by an independent computation."""
    from mmdet.models.task_modules.samplers import SamplingResult
    from mmdet.structures.bbox import bbox2roi

    head = trained.model.eval().roi_head
    torch.manual_seed(0)
    x = tuple(torch.randn(2, 64, 24 // 2**level, 32 // 2**level) for level in range(5))
    truth = [torch.randint(-1, 2, (3, 40)), torch.randint(-1, 2, (1, 40))]
    boxes = [
        torch.rand(4, 4) * 30 + torch.tensor([0, 0, 40, 40]),
        torch.rand(2, 4) * 30 + torch.tensor([0, 0, 40, 40]),
    ]
    chosen = [torch.tensor([2, 0, 0, 1]), torch.tensor([0, 0])]
    results = []
    for box, index in zip(boxes, chosen):
        result = SamplingResult.__new__(SamplingResult)
        result.pos_priors, result.pos_assigned_gt_inds = box, index
        results.append(result)
    losses = head.mask_loss(x, results, None, [InstanceData(gt_score=score) for score in truth])['loss_mask']
    assert list(losses) == ['loss_attr']
    target = torch.cat([score[index] for score, index in zip(truth, chosen)])
    logits = head._mask_forward(x, bbox2roi(boxes))['mask_preds']
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, target.float(), reduction='none')
    expected = entropy[target >= 0].sum() / ((target >= 0).sum() / 40)
    assert losses['loss_attr'].item() == pytest.approx(0.1 * expected.item(), rel=1e-4)


def test_batch_without_faces(trained):
    batch = next(iter(trained.train_dataloader))
    for sample in batch['data_samples']:
        sample.gt_instances = sample.gt_instances[:0]
    model = trained.model.train()
    model.zero_grad()
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    assert losses['loss_attr'] == 0
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    # Each parameter takes part: with several processes none waits for another.
    assert [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None] == []


def test_metric_scores_the_detection_that_overlaps_a_face_most():
    from face_attributes import FaceAttributeMetric

    metric = FaceAttributeMetric(classes=['a', 'b'])
    metric.dataset_meta = dict(classes=('face',))
    truth = dict(
        bboxes=torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]]),
        gt_score=torch.tensor([[1, 0], [1, -1], [0, 0]]),
    )
    found = dict(
        # Of the first face, a better and a worse one; of the second one; of nobody; the third face is not found.
        bboxes=torch.tensor([[0.0, 0, 10, 7], [0, 0, 10, 9], [20, 1, 30, 10], [60, 0, 70, 10]]),
        pred_score=torch.tensor([[0.1, 0.9], [0.9, 0.9], [0.9, 0.9], [0.1, 0.9]]),
        thresholds=torch.tensor([0.5, 0.5]),
    )
    nothing = dict(bboxes=torch.zeros(0, 4), pred_score=torch.zeros(0, 2), thresholds=torch.tensor([0.5, 0.5]))
    empty = dict(bboxes=torch.zeros(0, 4), gt_score=torch.zeros(0, 2))
    metric.process(None, [dict(pred_instances=found, gt_instances=truth)])
    metric.process(None, [dict(pred_instances=nothing, gt_instances=truth)])
    metric.process(None, [dict(pred_instances=found, gt_instances=empty)])
    scores = metric.evaluate(3)
    assert scores['attr/accuracy/a'] == 100 and scores['attr/accuracy/b'] == 0
    # No face at all is found.
    metric.process(None, [dict(pred_instances=nothing, gt_instances=truth)] * 3)
    assert 'attr/mean_accuracy' not in metric.evaluate(3)


def test_dataset_selects_attributes_by_name(photos):
    from face_attributes import FaceCocoDataset

    options = dict(data_root=str(photos), ann_file='val.json', data_prefix=dict(img=''), test_mode=True)
    whole = FaceCocoDataset(**options)
    some = FaceCocoDataset(**options, metainfo=dict(attributes=['Smiling', 'Bald']))
    columns = [ATTRIBUTES.index('Smiling'), ATTRIBUTES.index('Bald')]
    for a, b in zip(whole, some):
        assert a['gt_attributes'].shape == (len(a['instances']), 40)
        assert np.array_equal(a['gt_attributes'][:, columns], b['gt_attributes'])
    with pytest.raises(DataError, match=r"val.json: its category 'face' has no attributes \['Old'\]"):
        FaceCocoDataset(**options, metainfo=dict(attributes=['Old']))


def test_annotations_that_mmdet_drops_take_their_attributes_along(photos, tmp_path):
    from face_attributes import FaceCocoDataset

    coco = json.loads((photos / 'train.json').read_text())
    first, second = coco['annotations'][:2]
    # Too narrow for mmdet.
    first.update(image_id=1, bbox=[5, 5, 0.5, 20], attributes=[1] * 40)
    second.update(image_id=1, attributes=[0] * 40)
    coco.update(images=coco['images'][:1], annotations=[first, second])
    path = tmp_path / 'two.json'
    path.write_text(json.dumps(coco))
    [record] = FaceCocoDataset(ann_file=str(path), data_prefix=dict(img=''), test_mode=True)
    assert record['gt_attributes'].tolist() == [[0] * 40]
    second['attributes'].pop()
    path.write_text(json.dumps(coco))
    with pytest.raises(DataError, match=f'two.json: annotation {second["id"]} has 39 values for 40 attributes'):
        FaceCocoDataset(ann_file=str(path), data_prefix=dict(img=''), test_mode=True)


def test_transforms_that_drop_boxes_are_rejected():
    from face_attributes import PackFaceInputs
    from mmdet.datasets.transforms import RandomCrop
    from mmdet.structures.bbox import HorizontalBoxes

    boxes = np.array([[10, 10, 20, 20], [70, 70, 80, 80]], np.float32)
    record = dict(
        img_path='a.jpg',
        img=np.zeros((90, 90, 3), np.uint8),
        gt_bboxes=HorizontalBoxes(boxes),
        gt_bboxes_labels=np.zeros(2, int),
        gt_ignore_flags=np.zeros(2, bool),
        gt_attributes=np.array([[1], [0]], np.int8),
    )
    packed = PackFaceInputs().transform(dict(record))
    assert packed['data_samples'].gt_instances.gt_score.tolist() == [[1], [0]]
    # A crop of 50 pixels has one of the two at most.
    crops = [RandomCrop((50, 50)).transform(dict(record)) for _ in range(50)]
    with pytest.raises(ConfigError, match='a.jpg: 1 boxes are left of the 2 faces with attributes: remove transforms'):
        PackFaceInputs().transform(next(crop for crop in crops if crop))


def test_two_processes_of_which_one_has_no_faces(photos, tmp_path):
    small_config(photos, tmp_path).dump(tmp_path / 'small.py')
    script = 'tests/test_mm_projects/mmdet_two_processes.py'
    processes = [start(script, tmp_path, rank, PYTHONPATH=PATHS) for rank in (0, 1)]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], '\n'.join(outputs)
    first, second = (torch.load(tmp_path / f'rank_{rank}.pth', weights_only=True) for rank in (0, 1))
    assert first['losses'][0] > 0 and second['losses'] == [0, 0]
    assert first['weights'].keys() == second['weights'].keys()
    for name, weight in first['weights'].items():
        assert torch.equal(weight, second['weights'][name]) and torch.isfinite(weight).all(), name


STOCK = """
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', 'mmdet::_base_/default_runtime.py']
model = dict(
    backbone=dict(depth=18, base_channels=8, frozen_stages=-1, init_cfg=None),
    neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16), bbox_head=dict(in_channels=16, fc_out_channels=16, num_classes=1)
    ),
)
resize = dict(type='Resize', scale=(128, 96), keep_ratio=True)
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
dataset = dict(
    type='CocoDataset', data_root='PHOTOS', data_prefix=dict(img=''), metainfo=dict(classes=['face'])
)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, ann_file='train.json', pipeline=[*load, resize, dict(type='PackDetInputs')]),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        **dataset, ann_file='val.json', pipeline=[load[0], resize, load[1], dict(type='PackDetInputs')], test_mode=True
    ),
)
val_evaluator = dict(type='CocoMetric', ann_file='PHOTOS/val.json')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
val_cfg = dict(type='ValLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.001, momentum=0.9))
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
randomness = dict(seed=0)
"""


def test_stock_checkpoints_are_saved_and_resumed_as_without_the_import(photos, tmp_path):
    config = tmp_path / 'stock.py'
    config.write_text(STOCK.replace('PHOTOS', str(photos)))
    # Torch alone reads weights only, which mmengine's checkpoints are not: the import adds what they hold.
    reads_all = dict(TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1')
    for name, environment in dict(without=reads_all, with_=reads_all, safely={}).items():
        arguments = [config, tmp_path / name, 'without' if name == 'without' else 'with', 0]
        run('tests/test_mm_projects/stock_run.py', *arguments, PYTHONPATH=PATHS, **environment)
    plain, *ours = (
        torch.load(tmp_path / name / 'epoch_2.pth', weights_only=False) for name in ('without', 'with_', 'safely')
    )
    assert plain['meta']['iter'] == 4
    for other in ours:
        assert other['meta']['iter'] == 4 and other['message_hub'].keys() == plain['message_hub'].keys()
        assert all(torch.equal(value, other['state_dict'][name]) for name, value in plain['state_dict'].items())


def test_draws_photos(trained, photos, tmp_path):
    from mmengine.runner import save_checkpoint

    checkpoint = tmp_path / 'last.pth'
    save_checkpoint(
        dict(state_dict=trained.model.state_dict(), meta=dict(dataset_meta=trained.val_dataloader.dataset.metainfo)),
        str(checkpoint),
    )
    config = Path(trained.work_dir, 'small.py')
    trained.cfg.dump(config)
    photo = photos / 'photos' / '000001.jpg'
    options = ['--score-thr', 0, '--out-dir', tmp_path / 'drawn']
    output = run('projects/mmdet/draw_faces.py', config, checkpoint, photo, *options, PYTHONPATH=PATHS)
    assert '000001.jpg: ' in output
    with Image.open(tmp_path / 'drawn' / '000001.jpg') as image:
        # The photo, and the list beside it, which may be longer.
        assert image.height >= 480 and image.width > 640
