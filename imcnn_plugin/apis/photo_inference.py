import os
import time
from collections import Counter
from pathlib import Path
from typing import Optional, Sequence, Union

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..files import replacing
from .album import Album
from .inferencer import FaceAttributeInferencer
from .persons import group_by_person
from .prediction_files import PredictionFiles


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
    """Predicts files and writes tables, and pictures if wanted, to a folder; what ``tools/infer.py`` runs.

    Args:
        inferencer: The inferencer.
        photos: Paths. One that cannot be read has a row that says so.
        out: The folder for the files of :class:`PredictionFiles` and, in ``drawn``, pictures.
        checkpoint: Named in the files.
        batch_size: Number of faces that the model sees at once.
        aligned: Each photo is an aligned face.
        album: How the photos of one person are predicted together; with ``person_by``.
        person_by: Who is in which photo, see :func:`~imcnn_plugin.apis.persons.group_by_person`.
        draw: Also draw each photo with its faces.

    Returns:
        Numbers of ``photos``, ``faces``, photos ``without`` a face and ``failed`` ones, and ``seconds``.

    Raises:
        DataError: A file of the results cannot be written.
        ConfigError: The album is not of this checkpoint.
    """
    if album is not None:
        album.check(inferencer.checksum)
    groups = group_by_person(photos, person_by) if person_by else {None: list(photos)}
    counts, start, console = Counter(), time.monotonic(), Console(stderr=True)
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar, PredictionFiles(out, inferencer.classes, checkpoint, bool(person_by)) as files:
        task = bar.add_task('photos', total=len(photos))
        for person, group in groups.items():
            together = None if person is None else album
            for result in inferencer.stream(group, batch_size, aligned, together):
                counts['photos'] += 1
                counts['faces'] += len(result['faces'])
                counts['failed'] += result['failed']
                counts['without'] += not result['faces'] and not result['failed']
                files.write(result, person)
                if draw and not result['failed']:
                    # A name has at most 255 bytes, and .tmp comes behind it at first.
                    stem = os.fsdecode(os.fsencode(Path(result['path']).stem)[:200])
                    name = f'{counts["photos"]:06}_{stem}.jpg'
                    with replacing(Path(out, 'drawn', name)) as temporary:
                        drawn = inferencer.visualize(result['path'], result)
                        Image.fromarray(drawn[..., ::-1]).save(temporary, format='jpeg', quality=90)
                bar.advance(task)
    counts['seconds'] = time.monotonic() - start
    return counts
