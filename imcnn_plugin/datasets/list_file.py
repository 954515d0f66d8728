"""Finds CelebA's lists and reads their lines."""

from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

from ..files import decode_text
from .file_signatures import identify_foreign_file
from .issues import Issue, IssueHandler, IssueKind, _reject, quote

ATTRIBUTE_LIST = 'list_attr_celeba.txt'
IDENTITY_LIST = 'identity_CelebA.txt'
PARTITION_LIST = 'list_eval_partition.txt'
# The folders of CelebA's download; the flat layout has none.
FOLDERS = {ATTRIBUTE_LIST: 'Anno', IDENTITY_LIST: 'Anno', PARTITION_LIST: 'Eval'}
# Kaggle's lists have a header and no count.
CSV = '.csv'
# Turns separators into spaces.
SPACES = bytes.maketrans(b',;', b'  ')
# The longest file name that file systems allow, in bytes.
LONGEST_NAME = 255

NO_LIST = IssueKind(
    'lists that are missing',
    'set the data root (CELEBA_ROOT or --data-root) to the folder that holds CelebA, or download the list',
)
NO_IDENTITIES = IssueKind(
    'no list of identities',
    "all identities are unknown, which is enough to train attributes alone by protocol 'official', such as with "
    'attr_net_celeba.py; an identity head needs them: put the list there',
    is_error=False,
)
NOT_TEXT = IssueKind('lists that are not plain text', 'download the list again, or save it as UTF-8')
NAME = IssueKind(
    'file names that leave the image folder',
    'an image is a file in the image folder; write its name alone, without a folder',
)
DUPLICATE = IssueKind('images that a list has twice', 'remove one of the two lines')


def _find_list(root: Union[str, Path], name: str, report: IssueHandler = _reject) -> Optional[Path]:
    """The path of one of CelebA's lists or of its CSV version, in the flat layout or the layout of the download.

    Only the identity list may be missing.
    """
    candidates = [Path(root, sub, name) for sub in ('', FOLDERS[name])]
    candidates += [path.with_suffix(CSV) for path in candidates]
    path = next((path for path in candidates if path.is_file()), None)
    if path is None:
        kind = NO_IDENTITIES if name == IDENTITY_LIST else NO_LIST
        report([Issue(kind, str(candidates[0]), None, f'not found, nor {candidates[1]}, nor either as {CSV}')])
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
            # File names need not be UTF-8.
            content = decode_text(content, 'surrogateescape').encode(errors='surrogateescape')
            if path.suffix == CSV:
                content = content.translate(SPACES, b'"')
            return str(path), content.rstrip().split(b'\n')
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
