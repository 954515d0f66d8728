"""Videos as cameras, phones and broken disks write them."""

import struct
import sys
from fractions import Fraction

import numpy as np
import pytest

from imcnn_plugin.apis import is_video, read_frames
from imcnn_plugin.apis.video_files import _count_frames, _write_frames
from imcnn_plugin.errors import ConfigError, DataError

av = pytest.importorskip('av', reason="PyAV is not installed: pip install 'imcnn_plugin[video]'")


def write(path, fps=10, number=30, size=(64, 48), **options):
    """A video that gets brighter, whose upper left is red."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('mpeg4', rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, 'yuv420p'
        for i in range(number):
            image = np.full((size[1], size[0], 3), 8 * i % 248, np.uint8)
            image[: size[1] // 2, : size[0] // 2] = (0, 0, 255)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
        container.mux(stream.encode())
    return path


def brightness(image):
    return image[-8:, -8:].mean() / 8


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi', '.mov'])
def test_frames_of_a_rate_are_chosen_by_their_time(tmp_path, suffix):
    path = write(tmp_path / f'video{suffix}')
    assert is_video(path) and not is_video('photo.jpg')
    for fps, step in ((None, 1), (50, 1), (10, 1), (5, 2), (2.5, 4), (0.7, None)):
        times, images = zip(*read_frames(path, fps))
        numbers = [round(10 * time) for time in times]
        assert numbers == ([0, 15, 29] if step is None else list(range(0, 30, step)))
        assert times == pytest.approx([number / 10 for number in numbers], abs=2e-3)
        assert images[0].shape == (48, 64, 3) and [brightness(x) for x in images] == pytest.approx(numbers, abs=0.9)
    assert abs(_count_frames(path, 5) - 15) <= 1


@pytest.mark.parametrize('turn, red', [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_videos_of_phones_are_rotated(tmp_path, turn, red):
    """The matrix of a track, by which a phone says how it was held: clockwise by so many degrees."""
    content = write(tmp_path / 'held.mp4').read_bytes()
    a, b = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[turn]
    matrix = struct.pack('>9i', *(65536 * value for value in (a, b, 0, -b, a, 0, 0, 0, 16384)))
    start = content.index(b'tkhd') + 44
    assert content[start : start + 36] == struct.pack('>9i', 65536, 0, 0, 0, 65536, 0, 0, 0, 2**30)
    (tmp_path / 'held.mp4').write_bytes(content[:start] + matrix + content[start + 36 :])
    [(_, image)] = read_frames(tmp_path / 'held.mp4', 0.1)
    assert image.shape == ((48, 64, 3) if turn % 180 == 0 else (64, 48, 3))
    corner = image[:16, :, :][:, :16] if red == (0, 0) else image[:: red[0] or 1, :: red[1] or 1][:16, :16]
    assert corner[..., 2].mean() > 200 and corner[..., :2].mean() < 60


def test_a_video_that_ends_too_early_has_its_frames_until_then(tmp_path):
    path = write(tmp_path / 'video.mkv', number=300)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert 50 < len([*read_frames(path)]) < 250


@pytest.mark.parametrize('content', [b'', b'no video' * 100, None])
def test_what_is_no_video_is_one_line(tmp_path, content):
    path = tmp_path / 'video.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match='video.mp4: cannot be read as a video') as error:
        next(read_frames(path))
    assert '\n' not in str(error.value) and _count_frames(path, 5) == 0


def test_titles_need_not_be_utf_8(tmp_path):
    with av.open(str(tmp_path / 'title.avi'), 'w') as container:
        container.metadata['title'] = 'Caf#'
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format='bgr24')))
        container.mux(stream.encode())
    content = (tmp_path / 'title.avi').read_bytes()
    assert content.count(b'Caf#') == 1
    (tmp_path / 'title.avi').write_bytes(content.replace(b'Caf#', b'Caf\xe9'))
    assert len([*read_frames(tmp_path / 'title.avi')]) == 1


def test_pixels_that_are_not_square(tmp_path):
    with av.open(str(tmp_path / 'dvd.mp4'), 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, 'yuv420p'
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        image = np.zeros((48, 64, 3), np.uint8)
        image[:, 32:] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='bgr24')))
        container.mux(stream.encode())
    [(_, image)] = read_frames(tmp_path / 'dvd.mp4')
    assert image.shape == (48, 96, 3) and image[:, :40].mean() < 20 and image[:, 56:].mean() > 235


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / 'sound.mp4'), 'w') as container:
        stream = container.add_stream('aac', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), format='fltp', layout='mono')
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(DataError, match='sound.mp4 has no pictures'):
        next(read_frames(tmp_path / 'sound.mp4'))


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'av', None)
    with pytest.raises(ConfigError, match=r"pip install 'imcnn_plugin\[video\]'"):
        next(read_frames(tmp_path / 'video.mp4'))


def test_written_frames_keep_their_times(tmp_path):
    times = [0, 0.04, 0.5, 0.52, 3]
    with _write_frames(tmp_path / 'new' / 'video.mp4') as write_frame:
        for number, time in enumerate(times):
            write_frame(time, np.full((48, 64, 3), 50 * number, np.uint8))
    found, images = zip(*read_frames(tmp_path / 'new' / 'video.mp4'))
    assert found == pytest.approx(times, abs=1e-3)
    assert [image.mean() for image in images] == pytest.approx([0, 50, 100, 150, 200], abs=6)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['video.mp4']
