"""Trainings on drawn faces of which real files are damaged."""

import json
import shutil
import traceback
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from imcnn_plugin.checkpoints import find_latest
from imcnn_plugin.datasets import CelebAIdentity, PackedFaces, packing
from imcnn_plugin.engine import bad_image_hook, build_runner, load_config, train_and_test
from imcnn_plugin.engine.bad_image_hook import _pipelines, _write_list
from imcnn_plugin.errors import ConfigError, DataError

PARTS = ('train', 'val', 'test')
CONFIG = Path(__file__).parents[2] / 'configs' / 'imcnn_demo.py'


def names(root, split):
    return [record['img_path'] for record in CelebAIdentity(str(root), split=split).data_list]


@pytest.fixture
def damaged(faces, tmp_path):
    """A copy of the faces, and what is damaged of it: two images to train on, one of each other part."""
    root = shutil.copytree(faces, tmp_path / 'faces')
    train, val, test = (names(root, split) for split in ('train', 'val', 'test'))
    bad = {train[3]: b'', train[20]: Path(train[20]).read_bytes()[:900], val[1]: b'<html></html>', test[0]: b'\0' * 99}
    for path, content in bad.items():
        Path(path).write_bytes(content)
    return root, list(bad)


def config(root, work_dir, workers=0, on_bad_image='skip', parts=PARTS):
    cfg = load_config(CONFIG, data_root=str(root), work_dir=str(work_dir))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16))
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    cfg.train_cfg.max_epochs = 1
    for name in set(PARTS) - set(parts):
        cfg.update({f'{name}_{key}': None for key in ('cfg', 'dataloader', 'evaluator')})
    for name in parts:
        loader = cfg[f'{name}_dataloader']
        loader.update(batch_size=8, num_workers=workers, persistent_workers=False)
        loader.dataset.pipeline[0] = dict(type='LoadFaceFromFile', on_bad_image=on_bad_image)
    return cfg


def listed(work_dir):
    return dict(line.split('\t') for line in (work_dir / bad_image_hook._LIST).read_text().splitlines())


@pytest.mark.parametrize('workers', [0, 2])
def test_by_default_the_file_is_named_and_training_ends(damaged, tmp_path, workers):
    root, bad = damaged
    with pytest.raises(DataError, match='cannot be read .*: restore it') as error:
        train_and_test(build_runner(config(root, tmp_path / 'work', workers, 'error')))
    assert '\n' not in str(error.value) and any(str(error.value).startswith(path) for path in bad[:2])
    assert not (tmp_path / 'work' / bad_image_hook._LIST).exists()
    # Otherwise workers are left to the garbage collector, which takes seconds for each.
    for kept in filter(None, (error.value, error.value.__cause__)):
        traceback.clear_frames(kept.__traceback__)


@pytest.mark.parametrize('workers', [0, 2])
def test_skipped_images_are_counted_and_listed(damaged, tmp_path, workers):
    root, bad = damaged
    cfg = config(root, tmp_path / 'work', workers)
    cfg.train_cfg.max_epochs = 2
    runner = build_runner(cfg)
    train_and_test(runner)
    assert listed(tmp_path / 'work') == {
        bad[0]: 'empty file',
        bad[1]: 'JPEG cut off after 900 bytes',
        bad[2]: '13 bytes that OpenCV cannot decode',
        bad[3]: '99 bytes that OpenCV cannot decode',
    }
    log = Path(runner._log_dir, f'{runner.timestamp}.log').read_text()
    for epoch in (1, 2):
        assert (
            f'2 of the 56 images of the train split cannot be read and did not contribute to the losses of epoch '
            f'{epoch}' in log
        )
        assert (
            f'1 of the 8 images of the val split cannot be read and do not count in the evaluation after epoch {epoch}'
            in log
        )
    assert '1 of the 16 images of the test split cannot be read and do not count in this test' in log
    report = json.loads((tmp_path / 'work' / 'per_attribute.json').read_text())
    assert {values['num_labelled'] for values in report['attributes'].values()} == {15}


def test_where_all_can_be_read_nothing_is_said(faces, tmp_path):
    train_and_test(build_runner(config(faces, tmp_path, parts=PARTS[:1])))
    assert not (tmp_path / bad_image_hook._LIST).exists()


def weights(work_dir):
    return torch.load(work_dir / 'epoch_1.pth')['state_dict']


def test_nothing_is_learnt_of_labels_of_skipped_images(damaged, tmp_path):
    """Other labels of these images give the same weights to the last bit; of others they do not."""
    root, bad = damaged
    path = root / 'list_attr_celeba.txt'
    lines = path.read_text().splitlines()
    found = []
    for turned in ((), bad, names(root, 'train')[:1]):
        changed = [
            line.replace(' 1', ' +').replace('-1', ' 1').replace(' +', '-1')
            if any(line.startswith(Path(name).name) for name in turned)
            else line
            for line in lines
        ]
        assert (changed != lines) == bool(turned)
        path.write_text('\n'.join(changed) + '\n')
        work_dir = tmp_path / f'work_{len(found)}'
        build_runner(config(root, work_dir, parts=PARTS[:1])).train()
        found.append(weights(work_dir))
    same = [all(torch.equal(value, other[key]) for key, value in found[0].items()) for other in found[1:]]
    assert same == [True, False]


class Stop(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx == 4:
            raise SystemExit


def test_a_resumed_run_ends_as_one_that_was_not_stopped(damaged, tmp_path):
    root, _ = damaged
    for name in ('whole', 'stopped'):
        cfg = config(root, tmp_path / name, parts=PARTS[:1])
        cfg.default_hooks.checkpoint.update(by_epoch=False, interval=2)
        runner = build_runner(cfg)
        if name == 'stopped':
            runner.register_hook(Stop())
            with pytest.raises(SystemExit):
                runner.train()
            cfg.load_from, cfg.resume = find_latest(tmp_path / name), True
            assert cfg.load_from.endswith('iter_4.pth')
            runner = build_runner(cfg, strict=True)
        runner.train()
    whole, stopped = (torch.load(find_latest(tmp_path / name)) for name in ('whole', 'stopped'))
    assert whole['meta']['iter'] == stopped['meta']['iter'] == 7
    assert all(torch.equal(value, stopped['state_dict'][key]) for key, value in whole['state_dict'].items())
    assert listed(tmp_path / 'whole') == listed(tmp_path / 'stopped')


def test_images_that_were_restored_leave_the_list(damaged, tmp_path):
    root, bad = damaged
    path = tmp_path / bad_image_hook._LIST
    _write_list(path, {bad[0]: 'empty file', bad[1]: 'cut off'})
    shutil.copy(names(root, 'train')[0], bad[0])
    _write_list(path, {bad[2]: 'a page'})
    assert sorted(listed(tmp_path)) == sorted(bad[1:3])


def test_a_pipeline_that_would_skip_unseen_is_refused(damaged, tmp_path):
    root, _ = damaged
    cfg = config(root, tmp_path, parts=PARTS[:1])
    cfg.train_dataloader.dataset.pipeline[-1].meta_keys = ('img_path',)
    with pytest.raises(ConfigError, match='needs img_path and ori_shape in meta_keys of PackInputs'):
        build_runner(cfg).train()


def test_a_pack_runs_no_pipeline(faces, tmp_path):
    pack = packing.write_pack(faces, tmp_path / 'pack', size=32, jobs=1).path
    pipeline = [
        dict(type='LoadFaceFromFile', on_bad_image='skip'),
        dict(type='Resize', scale=32, interpolation='area'),
    ]
    assert [*_pipelines(CelebAIdentity(str(faces), pipeline=pipeline))]
    assert not [*_pipelines(PackedFaces(str(pack), pipeline=pipeline))]
