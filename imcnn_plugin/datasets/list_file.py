"""Finds CelebA's lists and reads their lines."""

from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

from ..files import decode_text
from .file_signatures import identify_foreign_file
from .issues import Issue, IssueHandler, IssueKind, _reject, quote

ATTRIBUTE_LIST = 'list_attr_celeba.txt'
IDENTITY_LIST = 'identity_CelebA.txt'
PARTITION_LIST = 'list_eval_partition.txt'
# The folders of CelebA's own download, beside the flat layout.
FOLDERS = {ATTRIBUTE_LIST: 'Anno', IDENTITY_LIST: 'Anno', PARTITION_LIST: 'Eval'}
# The limit of file systems for a name, in bytes.
LONGEST_NAME = 255

NO_LIST = IssueKind(
    'lists that are missing',
    'set the data root (CELEBA_ROOT or --data-root) to the folder that holds CelebA, or download the list',
)
NOT_TEXT = IssueKind('lists that are not plain text', 'download the list again, or save it as UTF-8')
NAME = IssueKind(
    'file names that leave the image folder',
    'an image is a file in the image folder; write its name alone, without a folder',
)
DUPLICATE = IssueKind('images that a list has twice', 'remove one of the two lines')


def _find_list(root: Union[str, Path], name: str, report: IssueHandler = _reject) -> Optional[Path]:
    """The path of one of CelebA's lists, in the flat layout or in that of the download."""
    candidates = [Path(root, name), Path(root, FOLDERS[name], name)]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        report([Issue(NO_LIST, str(candidates[0]), None, f'not found, nor {candidates[1]}')])
    return path


def _read_lines(root: Union[str, Path], name: str, report: IssueHandler) -> Tuple[str, Optional[List[bytes]]]:
    """The path and the lines of one of CelebA's lists, None if the file is missing or is not a list."""
    path = _find_list(root, name, report)
    if path is None:
        return '', None
    line = None
    try:
        content = path.read_bytes()
        if foreign := identify_foreign_file(content):
            kind, found = foreign[0], f'is {foreign[1]}, not a list'
        else:
            # Names of files need not be UTF-8.
            text = decode_text(content, 'surrogateescape')
            return str(path), text.encode(errors='surrogateescape').rstrip().split(b'\n')
    except OSError as error:
        kind, found = NO_LIST, f'cannot be read ({error.strerror})'
    except UnicodeDecodeError as error:
        kind, found, line = NOT_TEXT, f'has {error.reason}', len(error.object[: error.start + 1].splitlines())
    report([Issue(kind, str(path), line, found)])
    return str(path), None


def _add_name(name: bytes, path: str, number: int, line_of: Dict[bytes, int], issues: List[Issue]) -> bool:
    """Adds the file name in line ``number`` to ``line_of``, or to ``issues`` if it is invalid or repeated."""
    if len(name) > LONGEST_NAME or name in (b'.', b'..') or b'/' in name or b'\\' in name:
        issues.append(Issue(NAME, path, number, f'expected a file name, found {quote(name)}'))
        return False
    if name in line_of:
        issues.append(Issue(DUPLICATE, path, number, f'{quote(name)} is already listed in line {line_of[name]}'))
        return False
    line_of[name] = number
    return True
