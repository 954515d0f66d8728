import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from imcnn_plugin.datasets import packing
from imcnn_plugin.datasets.pack_format import open_pack
from imcnn_plugin.errors import DataError


@pytest.fixture(scope='module')
def made(faces, tmp_path_factory):
    return packing.write_pack(faces, tmp_path_factory.mktemp('packs') / 'faces', size=8, jobs=1).path


@pytest.fixture
def pack(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / 'pack'))


def set_header(pack, **values):
    path = pack / 'header.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_is_opened(pack, made):
    opened = open_pack(str(pack))
    assert opened.path == pack and opened.images.shape == (80, 8, 8, 3) and opened.present.all()
    assert not opened.images.flags.owndata and not opened.images.flags.writeable
    assert opened.annotations.labels.shape == (80, 40) and opened.annotations.names[0] == b'000001.jpg'


@pytest.mark.parametrize(
    'change, message',
    [
        (shutil.rmtree, r'pack not found: make it with tools/data/pack\.py, or set the data root \(CELEBA_PACK\)'),
        (lambda pack: (pack / 'header.json').unlink(), r'header\.json cannot be read \(No such file or directory\)'),
        (lambda pack: (pack / 'header.json').write_text('{"format": '), r'header\.json is not JSON'),
        (lambda pack: (pack / 'header.json').write_bytes(b'\xff\x00'), r'header\.json is not JSON'),
        (lambda pack: (pack / 'header.json').write_text('[]'), r"header\.json: format is not 'imcnn_plugin packed"),
        (lambda pack: set_header(pack, format='TFRecord'), r"header\.json: format is not 'imcnn_plugin packed"),
        (lambda pack: set_header(pack, version=2), r'header\.json: version is 2, expected 1'),
        (lambda pack: set_header(pack, size='8x8'), r"header\.json: size is '8x8', expected a list"),
        (lambda pack: set_header(pack, checksums=None), r'header\.json: checksums is None, expected a dict'),
        (lambda pack: set_header(pack, classes=['Male']), r"header\.json: classes are not CelebA's 40 attributes"),
        (
            lambda pack: set_header(pack, size=[9, 9]),
            r'images\.npy: the shape is \(80, 8, 8, 3\), expected \(80, 9, 9',
        ),
        (lambda pack: set_header(pack, num_images=81), r'names\.npy: the shape is \(80,\), expected \(81,\)'),
        (lambda pack: (pack / 'labels.npy').unlink(), r'labels\.npy cannot be read \(No such file'),
        (
            lambda pack: np.save(pack / 'labels.npy', np.ones((80, 40), np.int8)),
            r'labels\.npy: its SHA-256 is .* by c',
        ),
        (lambda pack: (pack / 'images.npy').unlink(), r'images\.npy cannot be read'),
        (lambda pack: (pack / 'images.npy').write_bytes(b''), r'images\.npy cannot be read'),
        (lambda pack: (pack / 'images.npy').write_bytes(b'\x93NUMPY\x01\x00\x10\x00{'), r'images\.npy cannot be read'),
        (
            lambda pack: (pack / 'images.npy').write_bytes((pack / 'images.npy').read_bytes()[:-1]),
            r'images\.npy cannot be read \(mmap length is greater than file size',
        ),
        (lambda pack: np.save(pack / 'images.npy', np.zeros((80, 8, 8, 3))), r'images\.npy: the type is float64'),
    ],
)
def test_what_is_not_as_it_should_be_is_named(pack, change, message):
    change(pack)
    with pytest.raises(DataError, match=message) as error:
        open_pack(pack)
    assert str(pack) in str(error.value) and '\n' not in str(error.value)
