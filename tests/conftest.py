import os
import shutil
import zipfile
from pathlib import Path

import pytest

import imcnn_plugin  # noqa: F401
from imcnn_plugin.datasets.synthetic import write_faces

REPOSITORY = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get('IMCNN_TEST_DATA', REPOSITORY.parent / 'shared' / 'data'))


def pytest_addoption(parser):
    parser.addoption('--slow', action='store_true', help='try 20 times as many bad inputs in tests/test_fuzz')


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
    """The official lists of all 202,599 images, without pictures."""
    return unpacked('celeba_annotations', tmp_path_factory.mktemp('celeba_annotations'))


@pytest.fixture(scope='session')
def faces(tmp_path_factory):
    """Drawn faces in CelebA's layout: 20 identities of 4 images. Not to be changed; copy it first."""
    folder = tmp_path_factory.mktemp('faces') / 'celeba'
    write_faces(folder, identities=20, images=4, seed=0)
    return folder


@pytest.fixture(scope='module')
def browser():
    """Chromium, driven by playwright. Not for the session: while it is open, nothing else can use asyncio."""
    chromium = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
    if chromium is None:
        pytest.skip('there is no chromium: apt-get install chromium')
    api = pytest.importorskip('playwright.sync_api', reason='playwright is not installed')
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        yield chromium
        chromium.close()
