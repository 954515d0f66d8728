import csv
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Optional, Sequence, Union

from ..files import replacing

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
