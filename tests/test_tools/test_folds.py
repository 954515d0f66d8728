"""Cross-validation as a user runs it: real processes on drawn faces."""

import json

import numpy as np
import pytest
import torch
from commands import TINY, run

from imcnn_plugin.attributes import ATTRIBUTES

CONFIG = 'configs/imcnn_celeba_mini_kfold.py'


@pytest.fixture(scope='module')
def fold_2(faces, tmp_path_factory):
    """The work directory of one epoch on all folds but number 2."""
    folder = tmp_path_factory.mktemp('fold_2')
    run('tools/train.py', CONFIG, *arguments(folder, faces), 'train_cfg.max_epochs=1', FOLD='2')
    return folder


def arguments(folder, faces):
    return '--work-dir', folder, '--data-root', faces, '--cfg-options', *TINY


def test_another_fold_is_neither_resumed_nor_tested(fold_2, faces, tmp_path):
    before = sorted(fold_2.rglob('*'))
    common = [*arguments(fold_2, faces), 'train_cfg.max_epochs=2']
    output = run('tools/train.py', CONFIG, '--resume', *common, ok=False, FOLD='3')
    assert output.splitlines()[-1] == (
        'error: the checkpoint was trained on split train of protocol kfold (fold 2, num_folds 5, seed 0), and this '
        'run would train on split train of protocol kfold (fold 3, num_folds 5, seed 0) with other identities of '
        'CelebA: resume with the settings of its training, or train in another work directory'
    )
    assert [path for path in sorted(fold_2.rglob('*.pth')) if path not in before] == []
    checkpoint = fold_2 / 'epoch_1.pth'
    output = run('tools/test.py', CONFIG, checkpoint, *arguments(tmp_path, faces), ok=False, FOLD='3')
    assert output.splitlines()[-1] == (
        'error: the model was trained on 4 of 4 identities of CelebA in split test of protocol kfold (fold 3, '
        'num_folds 5, seed 0): its training split was split train of protocol kfold (fold 2, num_folds 5, seed 0); '
        'evaluate it by the same protocol, fold, seed and lists, or train for this split'
    )
    assert not (tmp_path / 'per_attribute.json').exists()
    output = run('tools/test.py', CONFIG, checkpoint, *arguments(tmp_path, faces), FOLD='2')
    assert 'protocol kfold, split test, fold 2: 16 images of 4 identities' in output
    assert 'was trained on' not in output


def test_a_model_that_started_from_another_fold_is_not_tested(fold_2, faces, tmp_path):
    common = [*arguments(tmp_path, faces), f'load_from={fold_2}/epoch_1.pth', 'train_cfg.max_epochs=1']
    output = run('tools/train.py', CONFIG, *common, ok=False, FOLD='3')
    assert 'the model was trained on 4 of 4 identities of CelebA in split test of protocol kfold (fold 3' in output
    assert 'Epoch(train)' not in output
    # Without an evaluation it may train on; its checkpoints say what they have seen.
    run('tools/train.py', CONFIG, '--no-validate', *common, FOLD='3')
    trained = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['meta']['trained_on']
    assert trained['fold'] == 3 and len(trained['members']['identities of CelebA']) == 20


def test_one_command_trains_the_folds_and_sums_them_up(faces, tmp_path):
    command = ['tools/sweep.py', f'IMCNN={CONFIG}', '--folds', '0', '3', '--out', tmp_path, '--data-root', faces,
               '--results', tmp_path / 'results.jsonl', '--cfg-options', *TINY, 'train_cfg.max_epochs=1']  # fmt: skip
    output = run(*command)
    rows = [json.loads(line) for line in (tmp_path / 'results.jsonl').read_text().splitlines()]
    assert [(row['fold'], row['num_images']) for row in rows] == [(0, 16), (3, 16)]
    assert len({row['config_hash'] for row in rows}) == 1 and rows[0]['checksums'] != rows[1]['checksums']
    for fold in (0, 3):
        assert (tmp_path / f'imcnn-seed0-fold{fold}' / 'epoch_1.pth').is_file()
    lines = [line.split() for line in output.splitlines()]
    found = np.array([row['mean_accuracy'] for row in rows])
    [total] = [line for line in lines if line[:2] == ['IMCNN', '2']]
    assert total[3:5] == [f'{found.mean():.2f}', f'{found.std(ddof=1):.2f}']
    assert 'protocol kfold, split test, fold 0, 3: 32 images of 8 identities' in output
    single = {line[0]: line[-2:] for line in lines if line and line[0] in ATTRIBUTES}
    for name in ATTRIBUTES:
        found = np.array([row['accuracy'][name] for row in rows])
        assert np.abs(np.array(single[name], float) - [found.mean(), found.std(ddof=1)]).max() < 0.006
    # The same command trains nothing again, and completes what is missing.
    assert '2 runs, 2 of them already in' in run(*command, FOLD='1')
    output = run(*command[:2], '--folds', '0', *command[5:], 'train_dataloader.dataset.protocol=official', ok=False)
    assert output.splitlines()[-1].startswith('error: configs/imcnn_celeba_mini_kfold.py: train_dataloader.dataset.')
