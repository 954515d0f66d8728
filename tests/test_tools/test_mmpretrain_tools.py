"""mmpretrain's own tools with our configs and checkpoints."""

import shutil
from pathlib import Path

import mmpretrain
import pytest
from commands import CONFIG, run

TOOLS = Path(mmpretrain.__file__).parent / '.mim' / 'tools'


@pytest.fixture
def work_dir(trained, tmp_path):
    """A copy of a work directory, with the config of its run."""
    return Path(shutil.copytree(trained, tmp_path / 'work'))


def test_resumes_and_tests(work_dir):
    config = work_dir / 'imcnn_demo.py'
    output = run(
        TOOLS / 'train.py',
        config,
        '--work-dir',
        work_dir,
        '--resume',
        'auto',
        '--cfg-options',
        'train_cfg.max_epochs=2',
    )
    assert 'resumed epoch: 1' in output and 'Epoch(val) [2]' in output and (work_dir / 'epoch_2.pth').is_file()
    # Its test-time augmentation wraps the model, whose weights then have other names.
    output = run(TOOLS / 'test.py', config, work_dir / 'epoch_2.pth', '--work-dir', work_dir / 'test', '--tta')
    assert 'attr/mean_accuracy' in output


def test_vis_scheduler(tmp_path):
    figure = tmp_path / 'rates.png'
    run(TOOLS / 'visualization' / 'vis_scheduler.py', CONFIG, '--save-path', figure, '-d', '640', MPLBACKEND='Agg')
    assert figure.is_file()
