"""Predicts many photos and writes the results to tables; what ``tools/infer.py`` runs."""

import csv
import json
import logging
import os
import shutil
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence, Union

from mmengine.logging import print_log
from PIL import Image

from ..files import replacing, writable
from ..progress import progress_bar
from .album import Album
from .face_detection import _SMALLEST_FACE
from .inferencer import FaceAttributeInferencer
from .photo_checks import _PHOTO_ERRORS, _FrameCheck
from .photo_groups import group_by_person
from .process_device import _check_positive

# About as many bytes are written for a label of a face, in all tables, and for a drawing.
_LABEL_BYTES, _DRAWING_BYTES = 100, 100_000
_BOX = ('left', 'top', 'right', 'bottom')


def infer_photos(
    inferencer: FaceAttributeInferencer,
    photos: Sequence[str],
    out: Union[str, Path],
    checkpoint: str,
    batch_size: int = 32,
    aligned: bool = False,
    album: Optional[Album] = None,
    person_by: Optional[str] = None,
    draw: bool = False,
) -> Counter:
    """Predicts files and writes tables and, if asked for, pictures to a folder.

    ``predictions.csv`` has a row per face, with its attributes as 1 and 0; ``probabilities.csv`` has the same rows
    with probabilities. A photo without faces has a row with the reason in the column ``error``. ``predictions.json``
    has everything, a line per photo. The files appear once they are complete.

    Args:
        inferencer: The inferencer.
        photos: Paths. One that cannot be predicted has a row that says so.
        out: The folder; pictures go to ``drawn`` in it.
        checkpoint: Its name, for the JSON file.
        batch_size: Number of faces per forward pass.
        aligned: Each photo is an aligned face.
        album: Predicts the photos of one person together; used with ``person_by``.
        person_by: Who is in which photo, see :func:`~imcnn_plugin.apis.photo_groups.group_by_person`.
        draw: Also draw each photo with its faces. Drawings of an earlier run in this folder are removed at the end.

    Returns:
        Numbers of ``photos``, ``faces``, photos ``without`` a face, ``failed`` ones, those ``shrunk`` for detection,
        and those ``undrawn`` since they cannot be read again; and ``seconds``. A warning tells if aligned faces have
        another shape than those of CelebA.

    Raises:
        DataError: A result file cannot be written.
        ConfigError: The album was fitted to another checkpoint, or ``batch_size`` is not positive.
    """
    _check_positive('batch_size', batch_size)
    if album is not None:
        album.check(inferencer.trained.checksum)
    groups = group_by_person(photos, person_by) if person_by else {None: list(photos)}
    counts, frames, drawings, start = Counter(), _FrameCheck(), set(), time.monotonic()
    if draw:
        writable(Path(out, 'drawn', 'photo.jpg'))
    tables = _open_tables(Path(out), inferencer.classes, checkpoint, bool(person_by))
    with progress_bar('Photos', len(photos)) as advance, tables as write:
        _warn_of_full_disk(out, len(photos) * (_LABEL_BYTES * len(inferencer.classes) + _DRAWING_BYTES * draw))
        for person, group in groups.items():
            together = None if person is None else album
            for result in inferencer._results(group, batch_size, aligned, together):
                frames.add(result)
                counts['photos'] += 1
                counts['faces'] += len(result['faces'])
                counts['failed'] += result['failed']
                counts['without'] += not result['faces'] and not result['failed']
                counts['shrunk'] += (result['smallest_face'] or 0) > _SMALLEST_FACE
                write(result, person)
                if draw and not result['failed']:
                    # A name has at most 255 bytes, and .tmp is appended to it at first.
                    stem = os.fsdecode(os.fsencode(Path(result['path']).stem)[:200])
                    name = f'{counts["photos"]:06}_{stem}.jpg'
                    try:
                        drawn = inferencer.visualize(result['path'], result)
                    # The photo may be gone by now.
                    except _PHOTO_ERRORS:
                        counts['undrawn'] += 1
                    else:
                        with replacing(Path(out, 'drawn', name)) as temporary:
                            Image.fromarray(drawn[..., ::-1]).save(temporary, format='jpeg', quality=90)
                        drawings.add(name)
                advance()
    # Like the tables, the drawings are those of one run.
    for path in Path(out, 'drawn').glob('[0-9]' * 6 + '_*.jpg') if draw else ():
        if path.name not in drawings:
            path.unlink()
    frames.warn()
    counts['seconds'] = time.monotonic() - start
    return counts


@contextmanager
def _open_tables(
    folder: Path, classes: Sequence[str], checkpoint: str, by_person: bool
) -> Iterator[Callable[[dict, Optional[str]], None]]:
    """Opens the tables of :func:`infer_photos`, with a column ``person`` if there are any.

    Yields a function that adds the result of a photo, and the person whose face is the largest in it.
    """
    columns = ['file', *(['person'] if by_person else []), 'face', *_BOX, 'score', 'error', *classes]
    with ExitStack() as stack:
        labels, probabilities, lines = (
            # A file name that is not text is written with escaped bytes.
            stack.enter_context(open(temporary, 'w', newline='', encoding='utf-8', errors='backslashreplace'))
            for temporary in (
                stack.enter_context(replacing(folder / name))
                for name in ('predictions.csv', 'probabilities.csv', 'predictions.json')
            )
        )
        tables = [csv.DictWriter(file, columns) for file in (labels, probabilities)]
        for table in tables:
            table.writeheader()
        lines.write(json.dumps(dict(checkpoint=checkpoint, attributes=list(classes)))[:-1] + ', "photos": [')
        # A disk that is full says so before the first photo is predicted.
        for file in (labels, probabilities, lines):
            file.flush()
        separator = '\n'

        def write(result: dict, person: Optional[str]) -> None:
            nonlocal separator
            if by_person:
                result = dict(path=result['path'], person=person) | result
            lines.write(separator + json.dumps(_rounded(result)))
            separator = ',\n'
            for number, face in enumerate(result['faces'], 1):
                row = dict(file=result['path'], face=number, score=_rounded(face['score']))
                if by_person and number == 1:
                    row['person'] = person
                row.update(zip(_BOX, face['box'] or ()))
                for table, key, convert in zip(tables, ('label', 'probability'), (int, _rounded)):
                    table.writerow(row | {name: convert(values[key]) for name, values in face['attributes'].items()})
            if not result['faces']:
                for table in tables:
                    table.writerow(dict(file=result['path'], error=result['reason']))

        yield write
        lines.write('\n]}\n')


def _warn_of_full_disk(folder: Union[str, Path], expected: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < expected:
        print_log(
            f'{folder} has {free / 1e6:.0f} MB left, and the results will need about {expected / 1e6:.0f} MB.',
            'current',
            logging.WARNING,
        )


def _rounded(value):
    """Rounds the numbers in nested dicts and lists to four decimals."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
