"""What the first version of this package wrote is still read: a run's last checkpoint and its report.

The files in ``tests/data/first_version`` are of a tiny IMCNN after one epoch on the faces of the fixture ``faces``.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from imcnn_plugin.apis import FaceAttributeInferencer
from imcnn_plugin.checkpoints import load_model
from imcnn_plugin.engine import build_runner, load_config
from imcnn_plugin.evaluation import AttributeReport

FILES = Path(__file__).parent / 'data' / 'first_version'
CHECKPOINT = FILES / 'epoch_1.pth'


def test_predictions_are_the_same():
    expected = json.loads((FILES / 'prediction.json').read_text())
    image = np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    [result] = FaceAttributeInferencer(CHECKPOINT, device='cpu', precision='fp32')(image, aligned=True)
    attributes = result['faces'][0]['attributes']
    assert {name: values['probability'] for name, values in attributes.items()} == pytest.approx(
        expected['probabilities'], abs=1e-5
    )
    assert load_model(CHECKPOINT).checksum == expected['checksum']


def test_a_run_goes_on(faces, tmp_path):
    """Its config has the types' old names, safety hooks in ``custom_hooks``, and a schedule with ``T_max``."""
    cfg = load_config(CHECKPOINT, data_root=str(faces), work_dir=str(tmp_path))
    cfg.train_cfg.max_epochs = 2
    cfg.resume, cfg.load_from = True, str(CHECKPOINT)
    runner = build_runner(cfg)
    runner.train()
    assert (runner.epoch, runner.iter) == (2, 14)
    stored = torch.load(tmp_path / 'epoch_2.pth')
    before = torch.load(CHECKPOINT)
    assert stored['state_dict'].keys() == before['state_dict'].keys()
    assert len(stored['message_hub']['log_scalars']['train/loss'].data[0]) == 2
    kinds = [type(hook).__name__ for hook in runner.hooks]
    assert len(kinds) == len(set(kinds)), 'a hook twice'


def test_its_report_is_read():
    report = AttributeReport.load(FILES / 'per_attribute.json')
    values = json.loads((FILES / 'per_attribute.json').read_text())
    assert report.mean_accuracy == values['mean_accuracy']
    assert report.identity_stable == values['lasting'] != []
