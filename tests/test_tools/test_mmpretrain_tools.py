"""mmpretrain's own tools with our configs and checkpoints."""

import shutil
from importlib import metadata
from pathlib import Path

import mmpretrain
import pytest
from commands import CONFIG, run
from mmengine.utils import digit_version

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


def test_get_flops(work_dir):
    # The config of a run has the number of identities, which the tool cannot find out.
    output = run(TOOLS / 'analysis_tools' / 'get_flops.py', work_dir / 'imcnn_demo.py', '--shape', '64')
    assert 'Flops: 2.781M' in output and 'Params: 0.148M' in output


def test_browse_dataset(faces, tmp_path):
    run(
        TOOLS / 'visualization' / 'browse_dataset.py',
        CONFIG,
        # The others need an older matplotlib.
        *('--mode', 'original', '--not-show', '--show-number', '3', '--output-dir', tmp_path),
        *('--cfg-options', f'train_dataloader.dataset.data_root={faces}'),
        MPLBACKEND='Agg',
    )
    assert len(list(tmp_path.glob('*.jpg'))) == 3


def test_vis_cam(work_dir, faces, tmp_path):
    pytest.importorskip('pytorch_grad_cam', reason='grad-cam is not installed')
    if digit_version(metadata.version('grad-cam')) >= digit_version('1.5'):
        pytest.skip('mmpretrain needs grad-cam < 1.5')
    image = next((faces / 'img_align_celeba').iterdir())
    run(
        TOOLS / 'visualization' / 'vis_cam.py',
        *(image, work_dir / 'imcnn_demo.py', work_dir / 'epoch_1.pth', '--target-category', '31'),
        *('--save-path', tmp_path / 'smiling.png', '--cfg-options', 'model.data_preprocessor.crop_size=None'),
        'test_dataloader.dataset.pipeline.1.scale=(64,64)',
    )
    assert (tmp_path / 'smiling.png').is_file()
