import shutil
from pathlib import Path

import pytest

from imcnn_plugin.datasets import open_pack, verify_pack, write_pack
from imcnn_plugin.errors import DataError


@pytest.fixture
def pack(faces, tmp_path):
    return write_pack(faces, tmp_path / 'pack', size=24, jobs=1).path


@pytest.fixture
def root(faces, tmp_path):
    """Faces that may be changed."""
    return Path(shutil.copytree(faces, tmp_path / 'root'))


def test_verify_finds_a_changed_byte(faces, pack):
    verify_pack(pack)
    verify_pack(pack, faces, jobs=1)
    content = bytearray((pack / 'images.npy').read_bytes())
    content[100_000] ^= 1
    (pack / 'images.npy').write_bytes(content)
    open_pack(pack)
    with pytest.raises(DataError, match=r'images\.npy: its SHA-256 is .*, expected .* by checksums of header\.json'):
        verify_pack(pack)


def test_verify_finds_what_differs_from_the_files(root, pack):
    lists = {path: path.read_bytes() for path in root.glob('*.txt')}
    for name, old, new, message in [
        ('list_attr_celeba.txt', b'-1', b' 1', r'labels\.npy: differs from the lists of'),
        ('list_eval_partition.txt', b' 0', b' 3', 'expected a file name and an integer'),
        ('list_eval_partition.txt', b' 0', b' 2', r'partition\.npy: differs from the lists of'),
        ('identity_CelebA.txt', b'\n', b'\r\n', r'header\.json: annotations_checksum .* in other bytes'),
    ]:
        path = root / name
        path.write_bytes(lists[path].replace(old, new, 1))
        with pytest.raises(DataError, match=message):
            verify_pack(pack, root, jobs=1)
        path.write_bytes(lists[path])
    images = root / 'img_align_celeba'
    shutil.copy(images / '000001.jpg', images / '000021.jpg')
    (images / '000022.jpg').unlink()
    message = r'images\.npy: 2 images differ from .*, the first in row 20, 000021\.jpg \(values differ by up to'
    with pytest.raises(DataError, match=message):
        verify_pack(pack, root, jobs=1)
