import csv
import os
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from ..errors import DataError


def group_by_person(photos: Sequence[str], by: str) -> Dict[Optional[str], List[str]]:
    """The photos of each person, persons and photos in the order of ``photos``.

    Args:
        photos: Paths.
        by: 'folder', whose photos are of one person; or a CSV file with the columns ``file`` and ``person``. There a
            file is a path as in ``photos``, or a file name alone.

    Returns:
        By the person's name; those that the CSV file does not list are under None.

    Raises:
        DataError: The CSV file cannot be read, says two things of one photo, or lists none of them.
    """
    names = {} if by == 'folder' else read_persons(by)
    groups, named = {}, {}
    for photo in photos:
        person = str(Path(photo).parent) if by == 'folder' else names.get(os.path.normpath(photo))
        if person is None and (name := Path(photo).name) in names:
            person = names[name]
            if named.setdefault(name, photo) != photo:
                raise DataError(f'{by}: {name} may be {named[name]} or {photo}: write paths, not names')
        groups.setdefault(person, []).append(photo)
    if by != 'folder' and set(groups) == {None}:
        raise DataError(f'{by} lists none of the photos, such as {groups[None][0]}: write the paths as they are given')
    return groups


def read_persons(path: str) -> Dict[str, str]:
    """Persons by file of a CSV file; see :func:`group_by_person`."""
    persons = {}
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            rows = csv.DictReader(file)
            if not {'file', 'person'} <= set(rows.fieldnames or ()):
                raise DataError(f'{path}, line 1: expected the columns file and person, found {rows.fieldnames}')
            for row in rows:
                if not row['file'] or not row['person']:
                    raise DataError(f'{path}, line {rows.line_num}: expected a file and a person, found {row}')
                name = os.path.normpath(row['file'])
                if persons.setdefault(name, row['person']) != row['person']:
                    raise DataError(
                        f'{path}, line {rows.line_num}: {name} is of {row["person"]}, but of {persons[name]} before'
                    )
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror})') from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{path} is not a CSV file in UTF-8 ({error})') from error
    return persons
