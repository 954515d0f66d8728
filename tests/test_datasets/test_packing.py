import hashlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import PackedFaces, packing, read_annotations, verify_pack
from imcnn_plugin.errors import ConfigError, DataError

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / 'tools' / 'data' / 'pack.py'
SIZE = 24


@pytest.fixture(scope='module')
def pack(faces, tmp_path_factory):
    out = tmp_path_factory.mktemp('packs') / 'faces'
    packing.write_pack(faces, out, SIZE, jobs=1)
    return out


@pytest.fixture
def root(faces, tmp_path):
    """Faces that may be changed."""
    return Path(shutil.copytree(faces, tmp_path / 'root'))


def stock_pixels(path, size=SIZE):
    record = dict(img_path=str(path))
    for transform in (dict(type='LoadImageFromFile'), dict(type='Resize', scale=(size, size), interpolation='area')):
        record = TRANSFORMS.build(transform)(record)
    return record['img']


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_pack_holds_what_the_stock_pipeline_makes_of_the_lists(faces, pack):
    listed = read_annotations(faces)
    images = np.load(pack / 'images.npy')
    assert images.shape == (80, SIZE, SIZE, 3) and images.dtype == np.uint8
    for name, image in zip(listed.names, images):
        assert np.array_equal(image, stock_pixels(faces / 'img_align_celeba' / name.decode()))
    for field in ('names', 'labels', 'identity', 'partition'):
        assert np.array_equal(np.load(pack / f'{field}.npy'), getattr(listed, field))
    assert np.load(pack / 'present.npy').all()

    header = json.loads((pack / 'header.json').read_text())
    assert header['size'] == [SIZE, SIZE] and header['channel_order'] == 'BGR' and header['skipped'] == {}
    assert header['classes'] == list(ATTRIBUTES) and header['source'] == str(faces / 'img_align_celeba')
    arrays = {name: data for name, data in content(pack).items() if name != 'header.json'}
    assert header['checksums'] == {name: hashlib.sha256(data).hexdigest() for name, data in arrays.items()}
    assert {path.name for path in pack.parent.iterdir()} == {'faces'}


def test_png_in_the_layout_of_the_download(root, tmp_path):
    (root / 'Img').mkdir()
    folder = shutil.move(root / 'img_align_celeba', root / 'Img' / 'img_align_celeba_png')
    for path in sorted(folder.iterdir()):
        Image.open(path).save(path.with_suffix('.png'))
        path.unlink()
    made = packing.write_pack(root, tmp_path / 'pack', SIZE, jobs=1)
    assert np.array_equal(made.images[7], stock_pixels(folder / '000008.png'))
    assert made.annotations.names[7] == b'000008.jpg'
    (folder / '000008.png').unlink()
    with pytest.raises(DataError, match=r'1 of 80 images cannot be packed: 000008\.png \(missing\)'):
        packing.write_pack(root, tmp_path / 'other', SIZE, jobs=1)


START = """
import sys
from imcnn_plugin.datasets import pack_workers, packing
pack_workers.IMAGES_PER_TASK = 16
if __name__ == '__main__':
    packing.write_pack(sys.argv[1], sys.argv[2], int(sys.argv[3]), jobs=2)
"""


def test_names_need_not_be_utf_8(root, tmp_path):
    old, new = b'000003.jpg', b'M\xfcller.jpg'
    for path in root.glob('*.txt'):
        path.write_bytes(path.read_bytes().replace(old, new))
    folder = os.fsencode(root / 'img_align_celeba')
    os.rename(os.path.join(folder, old), os.path.join(folder, new))
    assert packing.write_pack(root, tmp_path / 'out', SIZE, jobs=1).present.all()
    open(os.path.join(folder, new), 'wb').close()
    with pytest.raises(DataError, match='ller.jpg'):
        packing.write_pack(root, tmp_path / 'other', SIZE, jobs=1)


def wait_for(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def ended(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_run_leaves_no_process_and_is_resumed(faces, pack, root, tmp_path):
    """The run is killed while it waits for an image that is a pipe into which nobody writes."""
    out, partial = tmp_path / 'faces', tmp_path / 'faces.partial'
    images = root / 'img_align_celeba'
    (images / '000041.jpg').unlink()
    os.mkfifo(images / '000041.jpg')
    (tmp_path / 'start.py').write_text(START)
    command = [sys.executable, tmp_path / 'start.py', root, out, str(SIZE)]
    process = subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True)
    try:
        wait_for(lambda: (partial / 'header.json').is_file() and np.load(partial / 'present.npy').sum() == 32)
        # With another size, which is rejected too: it must never wait for the pipe.
        with pytest.raises(ConfigError, match=r'faces\.partial is being written by another process'):
            packing.write_pack(root, out, SIZE + 1, jobs=1)
    finally:
        process.kill()
    process.wait()
    wait_for(lambda: ended(process.pid))
    assert not out.exists()

    # What is in already is not read again.
    for number in range(1, 33):
        (images / f'{number:06d}.jpg').unlink()
    (images / '000041.jpg').unlink()
    shutil.copy(faces / 'img_align_celeba' / '000041.jpg', images)
    packing.write_pack(root, out, SIZE, jobs=1)
    assert not partial.exists()
    expected, found = content(pack), content(out)
    for files, source in ((expected, faces), (found, root)):
        header = json.loads(files.pop('header.json'))
        assert header.pop('source') == str(source / 'img_align_celeba')
        files['header'] = header
    assert found == expected


@pytest.fixture
def begun(root, tmp_path):
    """A pack that one image keeps from being finished."""
    image = root / 'img_align_celeba' / '000050.jpg'
    whole = image.read_bytes()
    image.write_bytes(whole[:-40])
    with pytest.raises(DataError):
        packing.write_pack(root, tmp_path / 'begun', SIZE, jobs=1)
    image.write_bytes(whole)
    return tmp_path / 'begun'


def test_other_settings_do_not_resume_a_pack(root, begun):
    with pytest.raises(ConfigError, match=r'begun\.partial was started with size \[24, 24\], now it is \[32, 32\]'):
        packing.write_pack(root, begun, 32, jobs=1)
    shutil.copytree(root / 'img_align_celeba', root / 'others')
    with pytest.raises(ConfigError, match="was started with source '.*img_align_celeba', now it is '.*others'"):
        packing.write_pack(root, begun, SIZE, jobs=1, data_prefix='others')
    path = root / 'list_eval_partition.txt'
    path.write_text(path.read_text().replace(' 1', ' 0'))
    with pytest.raises(ConfigError, match='was started with annotations_checksum'):
        packing.write_pack(root, begun, SIZE, jobs=1)
    assert not begun.exists()


def test_bad_images_are_all_named_and_can_be_mended(faces, root, pack, tmp_path):
    images = root / 'img_align_celeba'
    (images / '000003.jpg').unlink()
    (images / '000005.jpg').write_bytes(b'')
    for number in range(70, 75):
        path = images / f'{number:06d}.jpg'
        path.write_bytes(path.read_bytes()[:-500])
    message = r'7 of 80 images cannot be packed: 000003\.jpg \(missing\), 000005\.jpg \(empty file\), 000070\.jpg '
    with pytest.raises(DataError, match=message) as error:
        packing.write_pack(root, tmp_path / 'pack', SIZE, jobs=1)
    listing = tmp_path / 'pack.partial' / 'bad.txt'
    assert str(listing) in str(error.value) and '\n' not in str(error.value)
    lines = [line.split('\t') for line in listing.read_text().splitlines()]
    assert [name for name, _ in lines] == [f'{number:06d}.jpg' for number in (3, 5, 70, 71, 72, 73, 74)]
    assert lines[2][1].startswith('JPEG cut off after')

    shutil.copytree(faces / 'img_align_celeba', images, dirs_exist_ok=True)
    packing.write_pack(root, tmp_path / 'pack', SIZE, jobs=1)
    assert {path.name for path in (tmp_path / 'pack').iterdir()} == {path.name for path in pack.iterdir()}
    assert (tmp_path / 'pack' / 'images.npy').read_bytes() == (pack / 'images.npy').read_bytes()


def test_bad_images_are_skipped_on_request(faces, root, tmp_path):
    (root / 'img_align_celeba' / '000003.jpg').write_bytes(b'')
    made = packing.write_pack(root, tmp_path / 'pack', SIZE, jobs=1, skip_bad=True)
    assert made.header['skipped'] == {'000003.jpg': 'empty file'}
    assert np.flatnonzero(~made.present).tolist() == [2] and not made.images[2].any()
    verify_pack(made.path, root, jobs=1)
    split = ('train', 'val', 'test')[made.annotations.partition[2]]
    [whole, skipped] = [
        PackedFaces(str(packing.write_pack(source, tmp_path / name, 8, jobs=1, skip_bad=True).path), split=split)
        for source, name in ((faces, 'whole'), (root, 'skipped'))
    ]
    kept = np.flatnonzero(whole.data_list.names != b'000003.jpg')
    assert len(kept) == len(whole) - 1
    for field in ('names', 'gt_score', 'gt_identity', 'identity', 'rows'):
        assert np.array_equal(getattr(skipped.data_list, field), getattr(whole.data_list, field)[kept])
    assert skipped.metainfo['num_identities'] == whole.metainfo['num_identities']
    assert skipped.metainfo['checksums']['images'] != whole.metainfo['checksums']['images']


def test_a_pack_without_any_image_is_rejected(root, tmp_path):
    for path in (root / 'img_align_celeba').iterdir():
        path.write_bytes(b'')
    with pytest.raises(DataError, match='80 of 80 images cannot be packed'):
        packing.write_pack(root, tmp_path / 'pack', SIZE, jobs=1, skip_bad=True)


def test_what_cannot_be_started_is_rejected_at_once(faces, tmp_path):
    (tmp_path / 'there').mkdir()
    (tmp_path / 'file').touch()
    for name, size, kind, message in [
        ('there', SIZE, ConfigError, 'there exists: remove it, or choose another name'),
        ('new', 0, ConfigError, 'size is 0'),
        ('new', 10**6, DataError, r'GB left, but 240000\.00 GB are needed'),
        ('file/new', SIZE, DataError, r'file/new\.partial cannot be written \(Not a directory\)'),
    ]:
        with pytest.raises(kind, match=message):
            packing.write_pack(faces, tmp_path / name, size, jobs=1)
    assert {path.name for path in tmp_path.iterdir()} == {'there', 'file'}


def flip_byte(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_command_line(faces, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['pack.py', *map(str, arguments)])
        runpy.run_path(str(TOOL), run_name='__main__')

    run(faces, '--out', tmp_path / 'pack', '--size', SIZE)
    assert f'{tmp_path}/pack: 80 images of 24x24, 0.00 GB\n' in capsys.readouterr().out
    run('--verify', tmp_path / 'pack', faces)
    assert capsys.readouterr().out.endswith('; all as it should be\n')
    flip_byte(tmp_path / 'pack' / 'images.npy', -1)
    # A process that is left by this text prints it and returns 1.
    with pytest.raises(SystemExit, match=f'^error: {tmp_path}/pack/images.npy: its SHA-256 is [^\n]*$'):
        run('--verify', tmp_path / 'pack')
    with pytest.raises(SystemExit):
        run('--out', tmp_path / 'other')
    assert 'DATA_ROOT is missing' in capsys.readouterr().err


def test_an_interruption_from_the_keyboard_says_how_to_resume(root, tmp_path):
    (root / 'img_align_celeba' / '000001.jpg').unlink()
    os.mkfifo(root / 'img_align_celeba' / '000001.jpg')
    command = [sys.executable, str(TOOL), str(root), '--out', str(tmp_path / 'pack')]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
    wait_for((tmp_path / 'pack.partial' / 'header.json').is_file)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=300)[1].endswith('stopped: the same command resumes\n')
    assert process.returncode == 1
