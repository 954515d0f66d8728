import csv
import logging
import os
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from mmengine.logging import print_log

from ..errors import DataError


def group_by_person(photos: Sequence[str], by: str) -> Dict[Optional[str], List[str]]:
    """Groups photos by the person they show; people and photos keep their order.

    Args:
        photos: Paths.
        by: 'folder': a folder has the photos of one person; or a CSV file with the columns ``file`` and ``person``,
            where a file is a path as in ``photos``, or a file name alone.

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
    people = {}
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            rows = csv.DictReader(file)
            if not {'file', 'person'} <= set(rows.fieldnames or ()):
                raise DataError(f'{path}, line 1: expected the columns file and person, found {rows.fieldnames}')
            for row in rows:
                if not row['file'] or not row['person']:
                    raise DataError(f'{path}, line {rows.line_num}: expected a file and a person, found {row}')
                name = os.path.normpath(row['file'])
                if people.setdefault(name, row['person']) != row['person']:
                    raise DataError(
                        f'{path}, line {rows.line_num}: {name} shows {row["person"]}, but {people[name]} before'
                    )
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror})') from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{path} is not a CSV file in UTF-8 ({error})') from error
    return people
