"""A checkpoint may have more than a gigabyte: whatever takes one reads its file, and its config, once."""

from importlib import import_module

import pytest

from imcnn_plugin.apis import FaceAttributeInferencer, predict_identity
from imcnn_plugin.checkpoints import load_model, safe_load
from imcnn_plugin.deployment import calibrate, export_onnx, publish


@pytest.fixture
def reads(monkeypatch):
    """The calls of ``torch.load``, of the check of the archive's checksums, and of the parser of configs."""
    calls = []

    def count(owner, name):
        function = getattr(owner, name)

        def counted(*args, **kwargs):
            calls.append(name)
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    count(safe_load.torch, 'load')
    count(safe_load.zipfile.ZipFile, 'testzip')
    count(import_module('imcnn_plugin.checkpoints.read_checkpoint'), 'parse_config')
    return calls


ONCE = ['testzip', 'load', 'parse_config']


def test_publish(best, tmp_path, reads):
    publish(best, tmp_path)
    assert reads == ONCE


def test_export(best, tmp_path, reads):
    pytest.importorskip('onnxruntime')
    export_onnx(best, tmp_path / 'model.onnx', num_images=1)
    assert reads == ONCE


def test_calibrate(best, faces, reads):
    calibrate(best, data_root=str(faces))
    assert reads == ONCE


def test_infer(best, faces, reads):
    FaceAttributeInferencer(best)(faces / 'img_align_celeba' / '000001.jpg', aligned=True)
    assert reads == ONCE


def test_one_network_beside_another(best, faces, reads):
    """Figures of people compare networks, of which each is read once."""
    networks = [(trained, trained.cfg) for trained in (load_model(best), load_model(best))]
    for _, cfg in networks:
        cfg.test_dataloader.dataset.data_root = str(faces)
    predict_identity(networks, 'Smiling', max_images=2)
    assert reads == ONCE * 2
