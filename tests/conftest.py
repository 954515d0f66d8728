import os
import shutil
import zipfile
from pathlib import Path

import pytest
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_http, load_from_local

import imcnn_plugin  # noqa: F401
from imcnn_plugin.checkpoints import safe_loaders as open_safe_loaders
from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.synthetic.write_faces import write_faces

REPOSITORY = Path(__file__).resolve().parents[1]
# Also disable telemetry in tests that import onnxruntime themselves.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
REAL_DATA = Path(os.environ.get('IMCNN_TEST_DATA', REPOSITORY.parent / 'shared' / 'data'))


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='all backbones; 20 times the bad inputs in test_fuzz')


# Files with the longest tests run first, so that parallel test processes finish at about the same time.
LONG = (
    'test_many_processes.py',
    'test_training.py',
    'test_gpu.py',
    'test_sweep.py',
    'test_folds.py',
    'test_exact_resume.py',
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def unpacked(name, folder):
    archive = REAL_DATA / f'{name}.zip'
    if not archive.is_file():
        pytest.skip(f'{name}.zip, a part of CelebA, is not in {REAL_DATA}: set IMCNN_TEST_DATA to its folder')
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder


@pytest.fixture(scope='session')
def celeba_mini(tmp_path_factory):
    """14,174 real faces in CelebA's layout."""
    return unpacked('celeba_mini', tmp_path_factory.mktemp('celeba_mini'))


@pytest.fixture(scope='session')
def celeba_annotations(tmp_path_factory):
    """The official lists of all 202,599 images, without the images."""
    return unpacked('celeba_annotations', tmp_path_factory.mktemp('celeba_annotations'))


@pytest.fixture(scope='session')
def faces(tmp_path_factory):
    """Drawn faces in CelebA's layout: 20 identities with 4 images each. Do not modify; copy the folder first."""
    folder = tmp_path_factory.mktemp('faces') / 'celeba'
    write_faces(folder, identities=20, images=4, seed=0)
    return folder


@pytest.fixture(scope='session')
def kaggle(faces, tmp_path_factory):
    """The same faces in Kaggle's layout: CSV lists, no identity list, and a nested image folder."""
    folder = tmp_path_factory.mktemp('kaggle')
    (folder / 'img_align_celeba').mkdir()
    (folder / 'img_align_celeba' / 'img_align_celeba').symlink_to(faces / 'img_align_celeba')
    # macOS writes this file to each folder that it displays.
    (folder / 'img_align_celeba' / '.DS_Store').touch()
    tables = {
        name: [line.split() for line in (faces / f'{name}.txt').read_text().splitlines()]
        for name in ('list_attr_celeba', 'list_eval_partition')
    }
    _, names, *labels = tables['list_attr_celeba']
    tables.update(
        list_attr_celeba=[['image_id', *names], *labels],
        list_eval_partition=[['image_id', 'partition'], *tables['list_eval_partition']],
        list_bbox_celeba=[['image_id', 'x_1', 'y_1', 'width', 'height'], [labels[0][0], '95', '71', '226', '313']],
    )
    for name, rows in tables.items():
        (folder / f'{name}.csv').write_text('\n'.join(','.join(row) for row in rows) + '\n')
    return folder


@pytest.fixture
def safe_loaders():
    """Registers this package's safe checkpoint loaders, as the tools and training runs do."""
    with open_safe_loaders():
        yield


@pytest.fixture
def stock_loaders(monkeypatch):
    """Restores mmengine's own checkpoint loaders, which other tests may have replaced."""
    own = {'': load_from_local, 'http://': load_from_http, 'https://': load_from_http}
    monkeypatch.setattr(CheckpointLoader, '_schemes', {**CheckpointLoader._schemes, **own})


def small_config(faces, work_dir):
    """The config of a small IMCNN on drawn faces."""
    cfg = load_config(REPOSITORY / 'configs' / 'imcnn_demo.py', data_root=str(faces), work_dir=str(work_dir))
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(16, 16))
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    cfg.train_dataloader.batch_size = 8
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].update(num_workers=0, persistent_workers=False)
    return cfg


@pytest.fixture
def small_cfg(faces, tmp_path):
    """:func:`small_config` with the test's own folder as the work directory."""
    return small_config(faces, tmp_path)


@pytest.fixture(scope='session')
def trained(faces, tmp_path_factory):
    """The work directory of a small IMCNN after one epoch on drawn faces, with averaged weights."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = small_config(faces, folder)
    cfg.train_cfg.max_epochs = 1
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    build_runner(cfg).train()
    return folder


@pytest.fixture(scope='session')
def best(trained):
    """The best checkpoint of :func:`trained`."""
    [path] = trained.glob('best_*.pth')
    return path


@pytest.fixture(scope='module')
def browser():
    """Chromium, driven by playwright. Not session-scoped, since nothing else can use asyncio while it is open."""
    chromium = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
    if not os.environ.get('IMCNN_REQUIRE_BROWSER'):
        if chromium is None:
            pytest.skip('there is no chromium: apt-get install chromium')
        pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    from playwright import sync_api as api

    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        yield chromium
        chromium.close()


@pytest.fixture(scope='session')
def contrasts():
    """A function that returns the visible texts of a browser page as pairs of WCAG contrast and text."""

    def measure(page):
        # Contrast with the nearest background that is not transparent.
        return page.evaluate(
            """() => {
                const numbers = color => color.match(/[\\d.]+/g).map(Number);
                const luminance = color => {
                    const parts = numbers(color).slice(0, 3).map(v => v / 255);
                    const linear = parts.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
                };
                const behind = node => {
                    for (; node; node = node.parentElement) {
                        const color = getComputedStyle(node).backgroundColor;
                        if (numbers(color).length === 3) return color;
                    }
                    return 'rgb(255, 255, 255)';
                };
                const texts = node => [...node.childNodes].filter(child => child.nodeType === Node.TEXT_NODE);
                const own = node => texts(node).map(text => text.data).join('').trim();
                const nodes = [...document.body.querySelectorAll('*')].filter(x => own(x) && x.checkVisibility());
                return nodes.map(text => {
                    const pair = [luminance(getComputedStyle(text).color), luminance(behind(text))];
                    return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), own(text)];
                });
            }"""
        )

    return measure
