"""Predicts the people in videos and writes the results to tables; what ``tools/infer.py`` runs for videos."""

import time
from collections import Counter
from itertools import chain, islice
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError
from ..files import writable
from ..progress import progress_bar
from ..visualization import draw_people, plot_track_curves, save_figure, spaced
from .album import Album
from .face_tracks import _FaceFollower, _longest_gap, _TrackedFace
from .inferencer import FaceAttributeInferencer
from .process_device import _check_positive
from .result_tables import _numbered, _remove_numbered, _ResultTables, _settings
from .video_files import _count_frames, _import_av, _write_frames, read_frames

# Maximum number of attributes drawn per person in a frame of the video.
_MOST_LINES = 6


def infer_videos(
    inferencer: FaceAttributeInferencer,
    videos: Sequence[Union[str, Path]],
    out: Union[str, Path],
    checkpoint: str,
    batch_size: int = 32,
    fps: float = 5.0,
    album: Optional[Album] = None,
    draw: bool = False,
    overwrite: bool = False,
) -> Counter:
    """Predicts the people in videos and writes tables and figures to a folder.

    Faces are tracked from frame to frame by position and logits, and people who come back are recognized. The tables
    are those of :func:`~imcnn_plugin.apis.infer_photos`, with one row per person: the time span, the number of frames,
    and the attributes, whose probabilities are means over the frames. ``curves`` has a figure per person of the
    attributes that change. ``predictions.json`` has a line per video, with the times, boxes and probabilities of each
    frame. The same call resumes after the videos that are in the tables.

    Args:
        inferencer: The inferencer.
        videos: Paths. A video that cannot be read has a row with the reason.
        out: The output folder.
        checkpoint: Name of the checkpoint, for the JSON file.
        batch_size: Number of faces per forward pass.
        fps: Number of frames to predict per second.
        album: Pools the frames of one person before their mean is computed.
        draw: Also write the videos with the people in them, without sound, to ``drawn``.
        overwrite: Start again instead of resuming.

    Returns:
        Numbers of ``videos``, ``people``, ``frames`` that were predicted, and ``failed`` videos, all of them with
        those done ``before``; and ``seconds``.

    Raises:
        DataError: A result file cannot be written.
        ConfigError: The folder has results of other videos, of other weights or with other options, or another
            process writes to it; the album was fitted to another checkpoint; PyAV or the detector is missing;
            ``batch_size`` or ``fps`` is not positive.
    """
    _check_positive('batch_size', batch_size)
    if not 0 < fps < float('inf'):
        raise ConfigError(f'fps must be a positive number, found {fps}')
    if album is not None:
        album.check(inferencer.trained.checksum)
    _import_av()
    folder, counts, start = Path(out), Counter(), time.monotonic()
    videos = [str(video) for video in videos]
    settings = _settings(
        inferencer,
        kind='videos',
        **inferencer.finder.settings,
        fps=fps,
        album=album and album.checksum,
        draw=draw,
    )
    header = dict(checkpoint=checkpoint, attributes=list(inferencer.classes), settings=settings)
    columns = ['file', 'person', 'start', 'end', 'frames', 'error']

    def count(result: dict) -> dict:
        counts['videos'] += 1
        counts['people'] += len(result['people'])
        counts['frames'] += result['frames']
        counts['failed'] += result['failed']
        return result

    with _ResultTables(folder, header, 'videos', columns, _rows, overwrite) as tables:
        before = [result['path'] for result in tables.read()]
        if before != videos[: len(before)]:
            raise ConfigError(
                f'{folder} has results of other videos, such as {before[-1]}: give another folder, or start again '
                'with overwrite=True (--overwrite)'
            )
        for example in ('curves/figure.png', *(['drawn/video.mp4'] if draw else [])):
            writable(folder / example)
        tables.start(map(count, islice(tables.read(), len(before))))
        counts['before'] = len(before)
        _remove_numbered(folder, len(before))
        left = videos[len(before) :]
        with progress_bar('Frames', sum(_count_frames(video, fps) for video in left), unit='frames') as advance:
            for number, video in enumerate(left, len(before) + 1):
                result = _infer_video(inferencer, video, batch_size, fps, album, advance)
                for person in result['people']:
                    name = _numbered(folder / 'curves', number, video, f'_person_{person["person"]}.png')
                    save_figure(_plot(person, video), name)
                if draw and not result['failed']:
                    _draw(result, _numbered(folder / 'drawn', number, video, '.mp4'), fps)
                tables.write(count(result))
    counts['seconds'] = time.monotonic() - start
    return counts


def _infer_video(
    inferencer: FaceAttributeInferencer, path: str, batch_size: int, fps: float, album: Optional[Album], advance
) -> dict:
    """The result of a video, a line of ``predictions.json``."""
    result = dict(path=path, size=None, frames=0, people=[], reason=None, failed=False)
    follower, times, reasons = _FaceFollower(fps), [], []

    def frames() -> Iterator[np.ndarray]:
        try:
            for seconds, image in read_frames(path, fps):
                times.append(seconds)
                result['size'] = list(image.shape[1::-1])
                yield image
        except DataError as error:
            result['reason'] = str(error)
            # Frames before the damage are used.
            result['failed'] = not times

    images = frames()
    first = list(islice(images, 1))
    detected = inferencer._detect(chain(first, images), False, False) if first else ()
    for found, logits, probabilities in inferencer._predict(detected, batch_size):
        seconds = times[result['frames']]
        if found['failed']:
            reasons.append(found['reason'])
        boxes = [face['box'] for face in found['faces']]
        follower.add([_TrackedFace(seconds, *values) for values in zip(boxes, logits, probabilities)])
        result['frames'] += 1
        advance()
    if reasons:
        result['failed'] = len(reasons) == result['frames']
        reason = f'{len(reasons)} of {result["frames"]} frames cannot be predicted: {reasons[0]}'
        result['reason'] = '; '.join(filter(None, (result['reason'], reason)))
    tracks = follower.people()
    result['people'] = [_describe(inferencer, number, track, album) for number, track in enumerate(tracks, 1)]
    if not tracks:
        result['reason'] = result['reason'] or 'no face found'
    else:
        means = np.stack([np.mean(list(person['probabilities'].values()), 1) for person in result['people']])
        # Adds the attributes, of which fewer than the model has may be wanted.
        inferencer._label(dict(faces=result['people']), means)
        for person in result['people']:
            person['probabilities'] = {name: person['probabilities'][name] for name in person['attributes']}
    return result


def _describe(
    inferencer: FaceAttributeInferencer, number: int, track: List[_TrackedFace], album: Optional[Album]
) -> dict:
    """A person of a video without attributes."""
    probabilities = np.stack([face.probabilities for face in track])
    if album is not None:
        probabilities = album.probabilities(np.stack([face.logits for face in track]), probabilities)
    return dict(
        person=number,
        start=track[0].time,
        end=track[-1].time,
        frames=len(track),
        attributes={},
        times=[face.time for face in track],
        boxes=[face.box for face in track],
        probabilities=dict(zip(inferencer.head.classes, probabilities.T.astype(float).tolist())),
    )


def _rows(result: dict) -> Iterator[Tuple[dict, dict]]:
    """The rows of a video in the tables, and their attributes."""
    for person in result['people']:
        row = {key: person[key] for key in ('person', 'start', 'end', 'frames')}
        yield dict(file=result['path'], error=result['reason'], **row), person['attributes']
    if not result['people']:
        yield dict(file=result['path'], error=result['reason']), {}


def _plot(person: dict, video: str):
    thresholds = {name: values['threshold'] for name, values in person['attributes'].items()}
    # A dollar sign would start a formula.
    title = f'{Path(video).name}, person {person["person"]}'.replace('$', r'\$')
    return plot_track_curves(person['times'], person['probabilities'], thresholds, title)


def _draw(result: dict, path: Path, fps: float) -> None:
    """Writes a video with the people of its result. Boxes between the frames that were predicted are interpolated."""
    people = [
        (person['person'], np.array(person['times']), np.array(person['boxes']), _lines(person))
        for person in result['people']
    ]
    with _write_frames(path) as write:
        try:
            for seconds, image in read_frames(result['path']):
                shown = [_at(seconds, *person, fps) for person in people]
                write(seconds, draw_people(image, [person for person in shown if person]))
        # The rest of a damaged video.
        except DataError:
            pass


def _at(
    seconds: float, number: int, times: np.ndarray, boxes: np.ndarray, lines: List[List[str]], fps: float
) -> Optional[dict]:
    """A person at a time, for :func:`draw_people`; None if the person is not visible, except in short gaps."""
    after = int(np.searchsorted(times, seconds))
    before = max(after - 1, 0)
    after = min(after, len(times) - 1)
    nearest = min(before, after, key=lambda i: abs(times[i] - seconds))
    between = times[before] <= seconds <= times[after] <= times[before] + _longest_gap(fps)
    if not between and abs(times[nearest] - seconds) > 0.5 / fps:
        return None
    share = np.clip((seconds - times[before]) / max(times[after] - times[before], 1e-9), 0, 1)
    box = boxes[before] + share * (boxes[after] - boxes[before])
    return dict(number=number, box=box.tolist(), lines=lines[nearest])


def _lines(person: dict) -> List[List[str]]:
    """The attributes of a person to draw in each frame: those that change first, then the most probable ones."""
    names, values = list(person['attributes']), np.array(list(person['probabilities'].values()))
    found = values >= np.array([[attribute['threshold']] for attribute in person['attributes'].values()])
    changes = found.any(1) & ~found.all(1)
    order = np.lexsort((-values.mean(1), ~changes))
    return [
        [spaced(names[i]) for i in order if found[i, frame]][:_MOST_LINES] for frame in range(len(person['times']))
    ]
