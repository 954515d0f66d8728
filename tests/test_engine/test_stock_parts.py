"""Hooks, metrics and the visualizer of mmengine and mmpretrain work with our models and datasets."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmpretrain.visualization import UniversalVisualizer

from imcnn_plugin.datasets import CelebAIdentity
from imcnn_plugin.datasets.packing import write_pack
from imcnn_plugin.engine import build_runner, load_config, read_log, train_and_test
from imcnn_plugin.reports import write_report

STOCK_METRICS = [dict(type='MultiLabelMetric', thr=0.5), dict(type='AveragePrecision')]


@pytest.fixture(scope='module')
def pack_options(faces, tmp_path_factory):
    pack = write_pack(faces, tmp_path_factory.mktemp('pack') / 'faces_72', 72).path
    return {
        'test_dataloader.dataset.type': 'PackedFaces',
        'test_dataloader.dataset.data_root': str(pack),
        'test_dataloader.collate_fn': dict(type='packed_collate'),
    }


def open_test(best, work_dir, **options):
    cfg = load_config(best, work_dir=str(work_dir), cfg_options=options)
    cfg.load_from = str(best)
    return build_runner(cfg)


def test_stock_metrics_of_files_and_of_packs_are_ours(best, pack_options, tmp_path):
    metrics = [dict(type='PerAttributeAccuracy'), *STOCK_METRICS]
    found = [
        open_test(best, tmp_path, **options, test_evaluator=evaluator).test()
        for options, evaluator in (
            ({}, metrics),
            (pack_options, metrics),
            # A batch at a time.
            (pack_options, metrics[:1]),
        )
    ]
    assert found[0]['multi-label/mAP'] > 0 and found[0]['multi-label/precision'] > 0
    for other in found[1:]:
        for key, value in other.items():
            assert value == pytest.approx(found[0][key], rel=1e-4), key
    report = json.loads((tmp_path / 'per_attribute.json').read_text())
    # mmpretrain has 0 where a value is undefined.
    recall = [row['recall'] or 0 for row in report['attributes'].values()]
    assert found[0]['multi-label/recall'] == pytest.approx(np.mean(recall), rel=1e-4)


@pytest.mark.parametrize('packed', [False, True])
def test_images_are_drawn_with_labels_and_predictions(best, pack_options, tmp_path, monkeypatch, packed):
    drawn = {}

    def draw(self, image, data_sample, name, out_file, **options):
        drawn[name] = image, data_sample
        return visualize(self, image, data_sample, name=name, out_file=out_file, **options)

    visualize = UniversalVisualizer.visualize_cls
    monkeypatch.setattr(UniversalVisualizer, 'visualize_cls', draw)
    options = {
        f'default_hooks.visualization.{key}': value
        for key, value in dict(enable=True, interval=5, out_dir=str(tmp_path / 'drawn')).items()
    }
    runner = open_test(best, tmp_path, **options, **(pack_options if packed else {}))
    runner.test()
    dataset = runner.test_dataloader.dataset
    assert isinstance(dataset, CelebAIdentity) and len(drawn) == -(-len(dataset) // 5)
    assert {path.name for path in (tmp_path / 'drawn').iterdir()} == {f'{name}_0.png' for name in drawn}
    records = {Path(record['img_path']).name: record for record in dataset.data_list}
    index = {Path(record['img_path']).name: i for i, record in enumerate(dataset.data_list)}
    for name, (image, sample) in drawn.items():
        # RGB, of the BGR that the model takes.
        assert np.array_equal(image, dataset[index[name]]['inputs'].flip(0).permute(1, 2, 0))
        assert sample.gt_label.tolist() == np.flatnonzero(records[name]['gt_score'] == 1).tolist()
        assert sample.pred_label.tolist() == np.flatnonzero(sample.pred_score.numpy() >= 0.5).tolist()


def test_a_validation_alone_builds_no_training_loop(best, tmp_path):
    cfg = load_config(best, work_dir=str(tmp_path))
    cfg.load_from = str(best)
    cfg.train_dataloader.dataset.data_root = 'nowhere'
    assert build_runner(cfg).val()['attr/mean_accuracy'] > 0


def test_stock_hooks_train_and_test(small_cfg, tmp_path):
    cfg = small_cfg
    cfg.train_cfg = dict(by_epoch=True, max_epochs=9)
    cfg.default_hooks.update(
        runtime_info=dict(type='RuntimeInfoHook'),
        timer=dict(type='IterTimerHook'),
        logger=dict(type='LoggerHook', interval=1),
        checkpoint=dict(type='CheckpointHook', interval=1, save_best='auto'),
    )
    cfg.custom_hooks = [
        dict(type='EMAHook'),
        dict(type='EmptyCacheHook', after_iter=True),
        dict(type='PreciseBNHook', num_samples=16),
        dict(type='EarlyStoppingHook', monitor='attr/mean_accuracy', patience=1, min_delta=200),
    ]
    runner = build_runner(cfg)
    train_and_test(runner)
    # Stopped by the EarlyStoppingHook, since nothing is better by 200 points.
    assert sorted(path.name for path in tmp_path.glob('epoch_*.pth')) == ['epoch_1.pth', 'epoch_2.pth']
    [log] = tmp_path.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    report = json.loads((tmp_path / 'per_attribute.json').read_text())
    assert report['split'] == 'test' and 'loss_attr' in lines[0]
    assert report['mean_accuracy'] == pytest.approx(runner.test_loop.evaluator.metrics[0].report.mean_accuracy)


@pytest.mark.parametrize('log_processor', [dict(type='BriefLogProcessor', by_epoch=False), dict(type='LogProcessor')])
def test_a_run_of_mmengines_loop_of_iterations_has_a_report(small_cfg, tmp_path, log_processor):
    cfg = small_cfg
    cfg.train_cfg = dict(by_epoch=False, max_iters=8, val_interval=4)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler', shuffle=True)
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=4)
    cfg.default_hooks.logger.interval = 2
    cfg.log_processor, cfg.param_scheduler = log_processor, None
    runner = build_runner(cfg)
    train_and_test(runner)
    page, notes = write_report(tmp_path)
    assert notes == [] and '8 of 8' in page.read_text()
    log = read_log(tmp_path)
    assert log.unit == 'iteration' and log.val['mean_accuracy'][0].tolist() == [4, 8]
    assert log.val['mean_accuracy'][1][-1] == pytest.approx(runner.val_evaluator.metrics[0].report.mean_accuracy)
