import csv
import json
import os
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Optional, Sequence, Union

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..files import replacing
from .album import Album
from .inferencer import FaceAttributeInferencer
from .photo_groups import group_by_person


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
        person_by: Who is in which photo, see :func:`~imcnn_plugin.apis.photo_groups.group_by_person`.
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


PLACE = ('left', 'top', 'right', 'bottom')


class PredictionFiles:
    """Tables of predictions, written as they come and there when all are written.

    ``predictions.csv`` has a row for each face, its attributes as 1 and 0; ``probabilities.csv`` has the same rows
    with probabilities. A photo without faces has a row that says why in the column ``error``. ``predictions.json`` has
    all there is, a line for each photo.

    Args:
        folder: Where they go; it is made.
        classes: Names of the attributes.
        checkpoint: Named in ``predictions.json``.
        persons: Whether there is a column ``person``.

    It is a context manager.

    Raises:
        DataError: A file cannot be written.
    """

    def __init__(self, folder: Union[str, Path], classes: Sequence[str], checkpoint: str, persons: bool = False):
        self.folder = Path(folder)
        self.classes = classes
        self.head = dict(checkpoint=checkpoint, attributes=list(classes))
        self.persons = persons
        self.stack = ExitStack()

    def __enter__(self) -> 'PredictionFiles':
        with ExitStack() as stack:
            self.labels, self.probabilities, self.json = (
                # A name that is no text is written with its bytes spelt out.
                stack.enter_context(open(temporary, 'w', newline='', encoding='utf-8', errors='backslashreplace'))
                for temporary in (
                    stack.enter_context(replacing(self.folder / name))
                    for name in ('predictions.csv', 'probabilities.csv', 'predictions.json')
                )
            )
            columns = ['file', *(['person'] if self.persons else []), 'face', *PLACE, 'score', 'error', *self.classes]
            self.tables = [csv.DictWriter(file, columns) for file in (self.labels, self.probabilities)]
            for table in self.tables:
                table.writeheader()
            self.json.write(json.dumps(self.head)[:-1] + ', "photos": [')
            self.separator = '\n'
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception) -> Optional[bool]:
        if exception[0] is None:
            self.json.write('\n]}\n')
        return self.stack.__exit__(*exception)

    def write(self, result: dict, person: Optional[str] = None) -> None:
        """Adds a result of :class:`~imcnn_plugin.apis.FaceAttributeInferencer`.

        Args:
            result: Of a photo that has a path.
            person: Whose largest face it is.
        """
        if self.persons:
            result = dict(path=result['path'], person=person, **{k: v for k, v in result.items() if k != 'path'})
        self.json.write(self.separator + json.dumps(rounded(result)))
        self.separator = ',\n'
        for number, face in enumerate(result['faces'], 1):
            row = dict(file=result['path'], face=number, score=rounded(face['score']))
            if self.persons and number == 1:
                row['person'] = person
            row.update(zip(PLACE, face['box'] or ()))
            attributes = face['attributes'].items()
            self.tables[0].writerow({**row, **{name: int(values['label']) for name, values in attributes}})
            self.tables[1].writerow({**row, **{name: rounded(values['probability']) for name, values in attributes}})
        if not result['faces']:
            for table in self.tables:
                table.writerow(dict(file=result['path'], error=result['reason']))


def rounded(value):
    """Numbers in a nest of dicts and lists with four decimals."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
