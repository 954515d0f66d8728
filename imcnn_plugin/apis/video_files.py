"""Reads and writes frames of videos with PyAV, which contains FFmpeg's libraries."""

from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Callable, Iterator, Optional, Tuple, Union

import cv2
import numpy as np

from ..errors import ConfigError, DataError
from ..files import replacing

# Suffixes of videos.
_SUFFIXES = set('.mp4 .m4v .mov .mkv .webm .avi .mpg .mpeg .mts .m2ts .ts .3gp .wmv .flv .ogv'.split())
# In seconds; the frames of a written video keep the times of those that were read.
_TICK = Fraction(1, 90_000)


def is_video(path: Union[str, Path]) -> bool:
    """Whether a file is a video by its suffix."""
    return Path(path).suffix.lower() in _SUFFIXES


def _import_av():
    try:
        import av
    except ImportError:
        raise ConfigError("videos need PyAV: pip install 'imcnn_plugin[video]'") from None
    return av


@contextmanager
def _open_video(path: Union[str, Path]) -> Iterator[tuple]:
    """Opens a video and its first video stream.

    Raises:
        DataError: It cannot be read.
        ConfigError: PyAV is missing.
    """
    av = _import_av()
    try:
        # Titles need not be UTF-8.
        with av.open(str(path), metadata_errors='replace') as container:
            if not container.streams.video:
                raise DataError(f'{path} has no pictures')
            yield container, container.streams.video[0]
    except av.FFmpegError as error:
        raise DataError(f'{path}: cannot be read as a video ({error.strerror})') from error


def read_frames(path: Union[str, Path], fps: Optional[float] = None) -> Iterator[Tuple[float, np.ndarray]]:
    """Yields frames of a video as they are shown, with their times in seconds from the first.

    Args:
        path: The file.
        fps: Frames per second; None yields all frames, as does a value above the video's own.

    Yields:
        The time, and uint8 BGR ``(H, W, 3)``.

    Raises:
        DataError: The file cannot be read, or is damaged where the frames end.
        ConfigError: PyAV is missing.
    """
    with _open_video(path) as (container, stream):
        first, last = None, -1
        for number, frame in enumerate(container.decode(stream)):
            # Some formats have no times.
            time = number / (stream.average_rate or 25) if frame.time is None else frame.time
            first = time if first is None else first
            time = float(time - first)
            # Times are rounded to a container's ticks.
            step = int(time * fps + 0.01) if fps else number
            if step > last:
                last = step
                image = frame.to_ndarray(format='bgr24')
                # Pixels of old camcorders and DVDs are not square.
                if (aspect := stream.sample_aspect_ratio or 1) != 1:
                    image = cv2.resize(image, (max(1, round(image.shape[1] * aspect)), image.shape[0]))
                # Phones store the orientation of the camera.
                yield time, np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _count_frames(path: Union[str, Path], fps: float) -> int:
    """About how many frames :func:`read_frames` yields; 0 if that is unknown."""
    try:
        with _open_video(path) as (container, stream):
            seconds = stream.duration * stream.time_base if stream.duration else (container.duration or 0) / 1e6
            return round(float(seconds) * min(fps, float(stream.average_rate or fps)))
    except DataError:
        return 0


@contextmanager
def _write_frames(path: Path) -> Iterator[Callable[[float, np.ndarray], None]]:
    """Yields a function that adds one frame, uint8 BGR, to an MP4 file, which gets its name at the end."""
    av = _import_av()
    codec = 'libx264' if 'libx264' in av.codecs_available else 'mpeg4'
    with replacing(path) as temporary, av.open(str(temporary), 'w', format='mp4') as container:
        # The encoder uses the rate only to judge how much a frame may differ from the previous one.
        stream = container.add_stream(codec, rate=30)
        stream.codec_context.time_base = _TICK
        stream.pix_fmt = 'yuv420p'
        previous = -1

        def write(time: float, image: np.ndarray) -> None:
            nonlocal previous
            if previous < 0:
                # Frames of another size are resized to that of the first.
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format='bgr24')
            previous = frame.pts = max(round(time / _TICK), previous + 1)
            frame.time_base = _TICK
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode())
