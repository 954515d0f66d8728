import logging
import os
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from mmengine.logging import print_log

from ..errors import DataError
from ..files import read_csv


def group_by_person(photos: Sequence[str], by: str) -> Dict[Optional[str], List[str]]:
    """Groups photos by the person they show, in the given order.

    Args:
        photos: Paths.
        by: 'folder', if each folder has the photos of one person; or a CSV file with the columns ``file`` and
            ``person``, where a file is a path as in ``photos``, or a file name alone.

    Returns:
        Photos by person; those that the CSV file does not list are under None. A log line counts rows without a photo.

    Raises:
        DataError: The CSV file cannot be read, contradicts itself, or lists none of the photos.
    """
    names = {} if by == 'folder' else _read_people(by)
    groups, named, unused = {}, {}, dict(names)
    for photo in photos:
        path, name = os.path.normpath(photo), Path(photo).name
        person = str(Path(photo).parent) if by == 'folder' else names.get(path)
        unused.pop(path, None)
        if person is None and name in names:
            person = names[name]
            unused.pop(name, None)
            if named.setdefault(name, photo) != photo:
                raise DataError(f'{by}: {name} may be {named[name]} or {photo}: write paths, not names')
        groups.setdefault(person, []).append(photo)
    if by != 'folder' and set(groups) == {None}:
        raise DataError(f'{by} lists none of the photos, such as {groups[None][0]}: write the paths as they are given')
    if unused:
        rows = f'{len(unused)} of {len(names)} rows'
        print_log(f'{by}: {rows} name none of the photos, such as {next(iter(unused))}.', 'current', logging.WARNING)
    return groups


def _read_people(path: str) -> Dict[str, str]:
    """People by file, from a CSV file."""
    people, rows = {}, read_csv(path)
    _, header = next(rows)
    if not {'file', 'person'} <= set(header):
        raise DataError(f'{path}, line 1: expected the columns file and person, found {header}')
    for line, row in rows:
        file, person = (row[header.index(column)].strip() for column in ('file', 'person'))
        # pandas writes nan for missing values.
        if not file or person in ('', 'nan', 'NaN'):
            raise DataError(f'{path}, line {line}: expected a file and a person, found {row}')
        name = os.path.normpath(file)
        if people.setdefault(name, person) != person:
            raise DataError(f'{path}, line {line}: {name} shows {person}, but {people[name]} before')
    return people
