"""Checkpoints whose config has no validation or test split, or no pipeline, are as good as others."""

import re

import pytest
import torch
from mmengine.config import Config

from imcnn_plugin.apis import FaceAttributeInferencer, fit_album
from imcnn_plugin.datasets import write_pack
from imcnn_plugin.deployment import calibrate, export_onnx, publish
from imcnn_plugin.engine import EVALUATION, evaluation_pipeline
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.reports import write_report


def changed(best, path, change):
    """A copy of a checkpoint with another config."""
    checkpoint = torch.load(best)
    cfg = Config.fromstring(checkpoint['meta']['cfg'], '.py')
    change(cfg, checkpoint['meta'])
    checkpoint['meta']['cfg'] = cfg.pretty_text
    torch.save(checkpoint, path)
    return path


def not_validated(cfg, meta):
    for key in EVALUATION:
        cfg[key] = None


def not_validated_and_augmented(cfg, meta):
    not_validated(cfg, meta)
    [load, resize, *rest] = cfg.train_dataloader.dataset.pipeline
    crop = dict(type='RandomResizedCrop', scale=resize['scale'][::-1], interpolation=resize['interpolation'])
    flip = dict(type='mmpretrain.RandomFlip', prob=0.5)
    cfg.train_dataloader.dataset.pipeline = [load, crop, flip, *rest]


def packed(cfg, meta):
    meta['dataset_meta'] = dict(meta['dataset_meta'], image_size=(72, 72))
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.update(type='PackedFaces', data_root='/nowhere', batched=False)
        dataset.pop('pipeline')


@pytest.fixture(scope='module', params=[not_validated, not_validated_and_augmented, packed])
def incomplete(request, best, tmp_path_factory):
    return changed(best, tmp_path_factory.mktemp('incomplete') / 'epoch_1.pth', request.param)


def predict(checkpoint, faces):
    [result] = FaceAttributeInferencer(checkpoint)(faces / 'img_align_celeba' / '000003.jpg', aligned=True)
    return [value['probability'] for value in result['faces'][0]['attributes'].values()]


def test_predictions_are_those_of_the_complete_one(incomplete, best, faces, tmp_path):
    expected = predict(best, faces)
    assert predict(incomplete, faces) == expected
    assert predict(publish(incomplete, tmp_path).path, faces) == expected


def test_export(best, tmp_path):
    pytest.importorskip('onnxruntime')
    path = changed(best, tmp_path / 'epoch_1.pth', packed)
    found = export_onnx(path, tmp_path / 'model.onnx', num_images=2)
    assert found.same_labels == found.labels > 0


@pytest.mark.parametrize('change', [not_validated, not_validated_and_augmented])
def test_calibration_and_album_are_those_of_the_complete_one(change, best, faces, tmp_path):
    incomplete = changed(best, tmp_path / 'epoch_1.pth', change)
    expected, found = (calibrate(path, data_root=str(faces)) for path in (best, incomplete))
    assert found[1] == expected[1]
    for name, value in expected[0]['state_dict'].items():
        assert torch.equal(found[0]['state_dict'][name], value)
    expected, found = (fit_album(path, str(faces)) for path in (best, incomplete))
    assert found[1] == expected[1] and found[0].theta.tolist() == expected[0].theta.tolist()


def test_report(trained, best, faces, tmp_path):
    path = changed(best, tmp_path / 'epoch_1.pth', not_validated)
    (tmp_path / 'run.py').write_text(torch.load(path)['meta']['cfg'])
    _, notes = write_report(tmp_path, tmp_path / 'report.html', data_root=str(faces))
    assert notes and not [note for note in notes if 'predicted' in note]
    assert 'id="calibration"' in (tmp_path / 'report.html').read_text()


def test_the_size_of_an_older_pack_is_read_from_it(best, faces, tmp_path):
    def older(cfg, meta):
        packed(cfg, meta)
        del meta['dataset_meta']['image_size']
        for split in ('train', 'val', 'test'):
            cfg[f'{split}_dataloader'].dataset.data_root = str(tmp_path / 'pack')

    path = changed(best, tmp_path / 'epoch_1.pth', older)
    with pytest.raises(DataError, match=f'{tmp_path}/pack not found: make it with tools/data/pack.py'):
        FaceAttributeInferencer(path)
    write_pack(faces, tmp_path / 'pack', size=72, jobs=1)
    assert predict(path, faces) == predict(best, faces)


@pytest.mark.parametrize(
    'steps, expected',
    [
        ([dict(type='RandomCrop', crop_size=64, padding=4)], [dict(type='CenterCrop', crop_size=64)]),
        ([dict(type='RandomResizedCrop', scale=64)], [dict(type='Resize', scale=(64, 64))]),
        ([dict(type='ColorJitter', brightness=0.4), dict(type='RandomErasing')], []),
        ([dict(type='AutoAugment', policies='imagenet')], []),
    ],
)
def test_training_pipelines_lose_what_is_random(steps, expected):
    load, pack = dict(type='LoadImageFromFile'), dict(type='PackInputs')
    # In a wrapper, as training sets often are.
    dataset = dict(type='RepeatDataset', times=2, dataset=dict(type='CustomDataset', pipeline=[load, *steps, pack]))
    cfg = Config(dict(train_dataloader=dict(dataset=dataset), val_dataloader=None))
    assert evaluation_pipeline(cfg) == [load, *expected, pack]


def test_a_config_without_data_is_rejected():
    with pytest.raises(ConfigError, match='has no dataset with a pipeline'):
        evaluation_pipeline(Config(dict(test_dataloader=None)))


def test_training_data_without_splits_is_not_calibrated_on(best, tmp_path):
    def without_splits(cfg, meta):
        not_validated(cfg, meta)
        del cfg.train_dataloader.dataset['split']

    path = changed(best, tmp_path / 'epoch_1.pth', without_splits)
    with pytest.raises(ConfigError, match=re.escape('the config has no val_dataloader')):
        calibrate(path)
