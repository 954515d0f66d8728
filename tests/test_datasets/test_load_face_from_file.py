import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import DefaultScope
from mmpretrain import FeatureExtractor, ImageClassificationInferencer
from mmpretrain.registry import TRANSFORMS

from imcnn_plugin.apis import FaceAttributeInferencer
from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import CelebAIdentity
from imcnn_plugin.datasets.load_face_from_file import NO_PIXELS, LoadFaceFromFile
from imcnn_plugin.engine import load_config
from imcnn_plugin.errors import ConfigError, DataError

PIPELINE = [
    dict(type='LoadFaceFromFile', on_bad_image='skip'),
    dict(type='Resize', scale=(16, 16), interpolation='area'),
    dict(type='PackInputs', algorithm_keys=('gt_identity', 'identity')),
]
DAMAGE = {
    'cut off': lambda content: content[: len(content) // 2],
    'no bytes': lambda content: b'',
    'a page': lambda content: b'<!DOCTYPE html><html></html>',
    'zeros': lambda content: bytes(len(content)),
}


@pytest.fixture
def root(faces, tmp_path):
    return shutil.copytree(faces, tmp_path / 'faces')


def build(**options):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return TRANSFORMS.build(dict(type='LoadFaceFromFile', **options))


def test_reads_what_the_stock_transform_reads(faces):
    for path in sorted((faces / 'img_align_celeba').iterdir())[:3]:
        mine, stock = (load(dict(img_path=str(path), a=1)) for load in (build(), LoadImageFromFile()))
        assert np.array_equal(mine.pop('img'), stock.pop('img')) and mine == stock


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_damaged_file_is_named(root, damage):
    path = root / 'img_align_celeba' / '000001.jpg'
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(
        DataError, match=r'000001\.jpg cannot be read \(.+\): restore it, or train without it'
    ) as error:
        build()(dict(img_path=str(path), gt_score=np.zeros(3, np.int8)))
    assert str(path) in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('damage', DAMAGE)
def test_of_a_skipped_image_nothing_is_known(root, damage, caplog):
    dataset = CelebAIdentity(str(root), pipeline=PIPELINE)
    before = [dataset[i] for i in range(3)]
    path = dataset.get_data_info(1)['img_path']
    (root / 'img_align_celeba' / path).write_bytes(DAMAGE[damage](open(path, 'rb').read()))
    after = [dataset[i] for i in range(3)]
    sample = after[1]['data_samples']
    assert (sample.gt_score == -1).all() and sample.gt_score.shape == (40,) and sample.gt_identity == -1
    assert (sample.img_path, sample.ori_shape, sample.img_shape) == (path, NO_PIXELS, (16, 16))
    assert sample.identity == before[1]['data_samples'].identity and (after[1]['inputs'] == 128).all()
    for i in (0, 2):
        assert (after[i]['inputs'] == before[i]['inputs']).all() and after[i]['data_samples'].ori_shape != NO_PIXELS
        assert (after[i]['data_samples'].gt_score == before[i]['data_samples'].gt_score).all()
    # The labels of the dataset are unchanged.
    assert (dataset.get_data_info(1)['gt_score'] >= 0).all()


def test_without_labels_nothing_can_be_skipped(tmp_path):
    with pytest.raises(DataError, match=r'a\.jpg cannot be read \(missing\)'):
        build(on_bad_image='skip')(dict(img_path=str(tmp_path / 'a.jpg')))


def test_other_options_are_rejected():
    with pytest.raises(ConfigError, match="on_bad_image is 'ignore', expected 'error' or 'skip'"):
        LoadFaceFromFile('ignore')
    assert repr(LoadFaceFromFile('skip')) == "LoadFaceFromFile(on_bad_image='skip')"


def test_an_image_that_is_skipped_needs_labels_that_can_be_unknown(root):
    path = root / 'img_align_celeba' / '000001.jpg'
    path.write_bytes(b'')
    with pytest.raises(DataError, match=r'000001\.jpg cannot be read \(empty file\): restore it, or remove it from'):
        build(on_bad_image='skip')(dict(img_path=str(path), gt_label=[0, 2]))


def test_files_of_a_backend(root):
    path = root / 'img_align_celeba' / '000001.jpg'
    expected = build()(dict(img_path=str(path)))['img']
    assert np.array_equal(build(backend_args=dict(backend='local'))(dict(img_path=str(path)))['img'], expected)
    with ThreadingHTTPServer(('127.0.0.1', 0), partial(QuietHandler, directory=root)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/img_align_celeba/'
        assert np.array_equal(build()(dict(img_path=f'{url}000001.jpg'))['img'], expected)
        with pytest.raises(DataError, match=r'none\.jpg cannot be read \(.*404'):
            build()(dict(img_path=f'{url}none.jpg'))
        server.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_inferencers_of_mmpretrain_take_our_configs_and_checkpoints(best, faces):
    """They read the image themselves, and know only LoadImageFromFile."""
    cfg = load_config(best)
    photos = [str(path) for path in sorted((faces / 'img_align_celeba').iterdir())[:2]]
    results = ImageClassificationInferencer(cfg, pretrained=str(best), device='cpu')(photos, batch_size=2)
    mine = FaceAttributeInferencer(best, device='cpu', precision='fp32')(photos, aligned=True)
    for one, other in zip(results, mine):
        probabilities = [value['probability'] for value in other['faces'][0]['attributes'].values()]
        assert one['pred_scores'] == pytest.approx(probabilities, abs=1e-5)
        assert one['pred_class'] == ATTRIBUTES[int(np.argmax(probabilities))]
    [features] = FeatureExtractor(cfg, pretrained=str(best), device='cpu')(photos[0], stage='backbone')
    assert features[-1].shape[0] == 192
