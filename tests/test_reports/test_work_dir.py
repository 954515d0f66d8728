import json
import os
import shutil

import numpy as np
import pytest

from imcnn_plugin.checkpoints import read_checkpoint
from imcnn_plugin.engine import build_runner, load_config, train_and_test
from imcnn_plugin.errors import ConfigError, DataError
from imcnn_plugin.evaluation import AttributeReport
from imcnn_plugin.reports.work_dir import _attribute_groups, read_work_dir


@pytest.fixture
def folder(tmp_path):
    """The work directory of a run that has completed two of three epochs, without weights."""
    scores, identity = np.eye(2), np.array([3, 4])
    AttributeReport.from_scores(scores, scores.astype(int), identity, ['a', 'b'], metainfo=dict(split='val')).save(
        tmp_path
    )
    (tmp_path / 'some_net.py').write_text(
        "train_cfg = dict(max_epochs=3)\ntest_evaluator = dict(groups=[dict(labels=['a'], name='A')])\n"
    )
    log = tmp_path / '20260101_000000' / 'vis_data'
    log.mkdir(parents=True)
    (log / 'scalars.json').write_text(
        '{"loss": 3.0, "epoch": 1, "step": 1}\n{"attr/mean_accuracy": 80.0, "step": 2}\n'
    )
    (log / 'config.py').write_text('train_cfg = dict(max_epochs=7)\n')
    (tmp_path / 'best_attr_mean_accuracy_epoch_2.pth').write_bytes(b'')
    return tmp_path


def test_reads_what_a_run_has_left(folder):
    run = read_work_dir(folder)
    assert (run.name, run.config_file, run.config.train_cfg.max_epochs) == ('some_net', 'some_net.py', 3)
    assert run.report.mean_accuracy == 100 and run.checkpoint.name == 'best_attr_mean_accuracy_epoch_2.pth'
    assert _attribute_groups(run.config) == [dict(labels=['a'], name='A')]
    assert run.notes == ['Training is not finished: epoch 2 of 3.']
    assert read_work_dir(folder, checkpoint='other.pth').checkpoint.name == 'other.pth'


def test_uses_the_newest_of_several_best_checkpoints(folder):
    newer = folder / 'best_attr_mAP_epoch_1.pth'
    newer.write_bytes(b'')
    os.utime(folder / 'best_attr_mean_accuracy_epoch_2.pth', (1, 1))
    assert read_work_dir(folder).checkpoint == newer


def test_every_missing_file_has_a_line(folder):
    for path in ('per_attribute.json', 'some_net.py', '20260101_000000/vis_data/scalars.json'):
        (folder / path).unlink()
    (folder / 'best_attr_mean_accuracy_epoch_2.pth').unlink()
    run = read_work_dir(folder)
    assert run.config_file == '20260101_000000/vis_data/config.py' and run.name == folder.name
    assert (run.report, run.log, run.checkpoint) == (None, None, None)
    assert run.notes == [
        f'{folder}/per_attribute.json is missing: no validation or test has completed.',
        f'{folder} has no <time>/vis_data/scalars.json, so there are no curves.',
    ]


def test_the_report_of_a_test_has_the_config_too(folder):
    report = json.loads((folder / 'per_attribute.json').read_text())
    (folder / 'per_attribute.json').write_text(json.dumps(dict(report, config=dict(train_cfg=dict(max_epochs=9)))))
    (folder / 'some_net.py').unlink()
    (folder / '20260101_000000' / 'vis_data' / 'config.py').unlink()
    run = read_work_dir(folder)
    assert (run.config_file, run.config.train_cfg.max_epochs) == ('not found', 9)
    assert run.notes[0] == f'{folder} has no config file.'


@pytest.mark.parametrize(
    'path, text, message',
    [
        ('per_attribute.json', '{"attributes": {', 'per_attribute.json is not JSON'),
        ('per_attribute.json', '[]', "per_attribute.json has no 'attributes'"),
        ('some_net.py', 'import os\n', 'some_net.py: the config in it cannot be read'),
        ('20260101_000000/vis_data/scalars.json', '{}\n', 'scalars.json, line 1'),
    ],
)
def test_damaged_files_are_errors(folder, path, text, message):
    (folder / path).write_text(text)
    with pytest.raises(DataError, match=message):
        read_work_dir(folder)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(attributes=dict(a=dict(accuracy=50))), 'a has no balanced_accuracy'),
        (dict(means=dict(accuracy=120)), 'accuracy of means is 120, expected a percentage or null'),
        (dict(num_images='many'), "'num_images' is 'many', expected int"),
    ],
)
def test_a_report_with_other_values_is_an_error(folder, change, message):
    report = json.loads((folder / 'per_attribute.json').read_text())
    (folder / 'per_attribute.json').write_text(json.dumps({**report, **change}))
    with pytest.raises(DataError, match=message):
        read_work_dir(folder)


def test_other_directories_are_errors(tmp_path):
    with pytest.raises(DataError, match='nowhere is not a directory: give the work directory of a run'):
        read_work_dir(tmp_path / 'nowhere')
    with pytest.raises(DataError, match='has no config, log, report or checkpoint'):
        read_work_dir(tmp_path)


def test_the_record_is_that_of_the_training_which_wrote_the_checkpoints(trained, faces, tmp_path):
    folder = shutil.copytree(trained, tmp_path / 'run')
    [best], config = folder.glob('best_*.pth'), folder / 'imcnn_demo.py'
    before, log = config.read_text(), read_work_dir(folder).log
    # A test in the same directory.
    cfg = load_config(best, data_root=str(faces), work_dir=str(folder))
    cfg.test_dataloader.batch_size, cfg.load_from = 7, str(best)
    build_runner(cfg).test()
    # A start that fails.
    cfg = load_config(config, data_root=str(faces), cfg_options={'train_dataloader.dataset.split': 'nothing'})
    with pytest.raises(ConfigError, match="no split 'nothing'"):
        train_and_test(build_runner(cfg))
    assert config.read_text() == before
    # One that fails within its first epoch.
    config.write_text(before.replace('max_epochs=1', 'max_epochs=5'))
    failed = folder / '29990101_000000' / 'vis_data'
    failed.mkdir(parents=True)
    (failed / 'scalars.json').write_text('{"loss": 99.0, "loss_attr": 99.0, "epoch": 1, "step": 1}\n')
    run = read_work_dir(folder)
    assert run.config_text == read_checkpoint(best).meta['cfg'] and run.config.train_cfg.max_epochs == 1
    assert run.config_file == best.name and run.name == 'imcnn_demo'
    assert run.log.starts == log.starts and len(log.starts) == 1
    assert run.log.last == log.last == 1 and run.log.train['loss'][1].tolist() == log.train['loss'][1].tolist()
    # It counts as soon as it has completed an epoch.
    with open(failed / 'scalars.json', 'a') as file:
        file.write('{"attr/mean_accuracy": 80.0, "step": 1}\n')
    assert read_work_dir(folder).log.starts == (*log.starts, '29990101_000000')
