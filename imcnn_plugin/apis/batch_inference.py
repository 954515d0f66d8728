"""Predicts many photos and writes the results to tables; what ``tools/infer.py`` runs."""

import io
import json
import logging
import shutil
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from mmengine.logging import print_log
from PIL import Image

from ..errors import ConfigError
from ..files import replacing, writable
from ..progress import progress_bar
from .album import Album
from .detector_base import _SMALLEST_FACE
from .inferencer import FaceAttributeInferencer
from .photo_checks import _PHOTO_ERRORS, _FrameCheck
from .photo_groups import group_by_person
from .photos import list_photos
from .process_device import _check_positive
from .result_tables import (
    _DOCUMENT,
    _TABLES,
    _label_columns,
    _numbered,
    _open_writers,
    _remove_numbered,
    _ResultTables,
    _rounded,
    _settings,
    _write_rows,
)

# Approximate numbers of bytes that are written for a label of a face, in all tables, and for a drawing.
_LABEL_BYTES, _DRAWING_BYTES = 100, 100_000
_BOX = ('left', 'top', 'right', 'bottom')
_COLUMNS = ('face', *_BOX, 'score', 'error')


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
    overwrite: bool = False,
) -> Counter:
    """Predicts photos and writes tables and, if asked for, drawings to a folder.

    ``predictions.csv`` has a row per face, with its attributes as 1 and 0; ``probabilities.csv`` has the same rows
    with probabilities. A photo without faces has a row with the reason in the column ``error``. ``predictions.json``
    has everything, a line per photo, and is a valid document at any time.

    Results are appended photo by photo. However the process ends, the same call resumes where it stopped: a photo in
    the tables is not predicted again. One that is given twice is there twice. For a person whose photos are predicted
    together, either all results are kept or none.

    Args:
        inferencer: The inferencer.
        photos: Paths. A photo that cannot be predicted has a row with the reason.
        out: The output folder; drawings are written to ``drawn`` in it.
        checkpoint: Name of the checkpoint, for the JSON file.
        batch_size: Number of faces per forward pass.
        aligned: Each photo is an aligned face.
        album: Predicts the photos of one person together; used with ``person_by``.
        person_by: Assigns photos to persons, see :func:`~imcnn_plugin.apis.photo_groups.group_by_person`.
        draw: Also draw each photo with its faces.
        overwrite: Start again instead of resuming, and remove the drawings in the folder.

    Returns:
        Numbers of ``photos``, ``faces``, and photos ``without`` a face, ``failed``, and ``shrunk`` for detection, all
        including those done ``before``; the number of photos ``undrawn`` because they cannot be read again; and
        ``seconds``. A warning reports aligned faces that have another shape than those of CelebA.

    Raises:
        DataError: There is no photo, or a result file cannot be written.
        ConfigError: The folder has results of other photos, of other weights or with other options, or another
            process writes to it; the album was fitted to another checkpoint; or ``batch_size`` is not positive.
    """
    _check_positive('batch_size', batch_size)
    if album is not None:
        album.check(inferencer.trained.checksum)
    photos = [str(photo) for photo in list_photos(photos)]
    groups = group_by_person(photos, person_by) if person_by else {None: photos}
    folder, counts, frames, start = Path(out), Counter(), _FrameCheck(), time.monotonic()
    settings = _settings(
        inferencer,
        kind='photos',
        aligned=aligned,
        person_by=person_by,
        album=album and album.checksum,
        draw=draw,
        **({} if aligned else inferencer.finder.settings),
    )
    header = dict(checkpoint=checkpoint, attributes=list(inferencer.classes), settings=settings)
    columns = ['file', *(['person'] if person_by else []), *_COLUMNS]

    def count(result: dict) -> dict:
        frames.add(result)
        counts['photos'] += 1
        counts['faces'] += len(result['faces'])
        counts['failed'] += result['failed']
        counts['without'] += not result['faces'] and not result['failed']
        counts['shrunk'] += (result['smallest_face'] or 0) > _SMALLEST_FACE
        return result

    with _ResultTables(folder, header, 'photos', columns, _rows, overwrite) as tables:
        done = _whole_people(tables.read(), groups, folder)
        if draw:
            writable(folder / 'drawn' / 'photo.jpg')
        tables.start(map(count, islice(tables.read(), done.total())))
        counts['before'] = done.total()
        _remove_numbered(folder, done.total())
        left = len(photos) - done.total()
        _warn_of_full_disk(folder, left * (_LABEL_BYTES * len(inferencer.classes) + _DRAWING_BYTES * draw))
        with progress_bar('Photos', len(photos), done.total(), 'photos') as advance:
            for person, group in groups.items():
                group = [photo for photo in group if not _take(done, photo)]
                together = None if person is None else album
                for result in inferencer._results(group, batch_size, aligned, together) if group else ():
                    count(result)
                    if draw and not result['failed']:
                        counts['undrawn'] += not _draw(inferencer, result, folder, counts['photos'])
                    tables.write(dict(path=result['path'], person=person) | result if person_by else result)
                    advance()
    frames.warn()
    counts['seconds'] = time.monotonic() - start
    return counts


def format_results(results: Iterable[dict], checkpoint: str, attributes: Sequence[str]) -> Dict[str, str]:
    """The texts that :func:`infer_photos` would write for results, by file name; the JSON has no ``settings``.

    Args:
        results: Results of a :class:`~imcnn_plugin.apis.FaceAttributeInferencer` with these attributes, without crops.
        checkpoint: Name of the checkpoint, for the JSON file.
        attributes: Names of the attributes.
    """
    results = [_rounded(result) for result in results]
    # csv ends lines itself.
    tables = {name: io.StringIO(newline='') for name in _TABLES}
    columns = ['file', *_COLUMNS]
    labels = _label_columns(attributes, columns)
    writers = _open_writers([*tables.values()], columns, labels)
    for result in results:
        _write_rows(writers, _rows(result), labels)
    document = dict(checkpoint=checkpoint, attributes=list(attributes), photos=results)
    return {name: table.getvalue() for name, table in tables.items()} | {_DOCUMENT: json.dumps(document)}


def _whole_people(results: Iterable[dict], groups: Dict[Optional[str], List[str]], folder: Path) -> Counter:
    """Counts each photo in the results to resume after: the first ones that have all photos of their persons.

    Raises:
        ConfigError: There are results of other photos.
    """
    left = {person: Counter(group) for person, group in groups.items()}
    given = set().union(*left.values())
    done, passed, begun, changed = Counter(), [], set(), False
    for result in results:
        photo, person = result['path'], result.get('person')
        if photo not in given:
            raise ConfigError(
                f'{folder} has results of other photos than those given, such as {photo}: give another folder, or '
                'start again with overwrite=True (--overwrite)'
            )
        changed = changed or not _take(left.get(person, Counter()), photo)
        if changed:
            continue
        passed.append(photo)
        # Photos without a person are predicted alone.
        if person is not None:
            (begun.add if left[person] else begun.discard)(person)
        if not begun:
            done.update(passed)
            passed.clear()
    return done


def _take(counts: Counter, photo: str) -> bool:
    """Takes a photo out of those counted; returns whether there was one."""
    if not counts[photo]:
        return False
    counts[photo] -= 1
    if not counts[photo]:
        del counts[photo]
    return True


def _draw(inferencer: FaceAttributeInferencer, result: dict, folder: Path, number: int) -> bool:
    """Draws a photo; returns whether it could be read again."""
    try:
        drawn = inferencer.visualize(result['path'], result)
    # The photo may be gone by now.
    except _PHOTO_ERRORS:
        return False
    with replacing(_numbered(folder / 'drawn', number, result['path'], '.jpg')) as temporary:
        Image.fromarray(drawn[..., ::-1]).save(temporary, format='jpeg', quality=90)
    return True


def _rows(result: dict) -> Iterator[Tuple[dict, dict]]:
    """The rows of a photo in the tables, and their attributes; the largest face is that of the person."""
    for number, face in enumerate(result['faces'], 1):
        row = dict(file=result['path'], face=number, score=face['score'], **dict(zip(_BOX, face['box'] or ())))
        if number == 1 and 'person' in result:
            row['person'] = result['person']
        yield row, face['attributes']
    if not result['faces']:
        yield dict(file=result['path'], error=result['reason']), {}


def _warn_of_full_disk(folder: Union[str, Path], expected: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < expected:
        print_log(
            f'{folder} has {free / 1e6:.0f} MB left, and the results will need about {expected / 1e6:.0f} MB.',
            'current',
            logging.WARNING,
        )
