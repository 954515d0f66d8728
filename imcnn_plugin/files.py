"""Atomic writes, locks, and readers for text files from any editor, spreadsheet or shell."""

import codecs
import csv
import errno
import io
import logging
import os
import re
import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Iterator, List, Tuple, Union

from mmengine.logging import print_log

from .errors import ConfigError, DataError

__all__ = [
    'decode_text', 'lock', 'new_folder', 'read_bytes', 'read_csv', 'read_paths', 'read_text', 'replacing', 'sync',
    'writable', 'write_bytes', 'write_text'
]  # fmt: skip

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# All control characters except tabs, line ends and form feeds.
NO_TEXT = re.compile(r'[\0-\x08\x0e-\x1f\x7f]')

# Errors of file systems that cannot flush or lock files, such as some network shares.
_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK)


@contextmanager
def replacing(path: Union[str, Path]) -> Iterator[Path]:
    """Yields a temporary path to write to, which atomically replaces ``path`` at the end; creates its folder.

    The content is flushed to disk before the file is renamed: a power failure leaves either the old or the new file.

    Raises:
        DataError: The file cannot be written.
    """
    # A link stays one.
    path = os.path.realpath(path)
    with _writing(path) as temporary:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(temporary.parent)


@contextmanager
def new_folder(path: Union[str, Path]) -> Iterator[Path]:
    """Yields a temporary folder to write to, which is renamed to ``path`` at the end or removed after an error.

    Raises:
        DataError: ``path`` is a file, or a folder that is not empty.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_dir():
        raise DataError(f'{path} is a file: give a new or empty folder')
    if path.is_dir() and (entries := len(os.listdir(path))):
        raise DataError(f'{path} is not empty ({entries} entries): remove it or give another folder')
    partial = path.with_name(f'.{path.name}.{os.getpid()}.partial')
    partial.mkdir(parents=True)
    try:
        yield partial
        if path.is_dir():
            path.rmdir()
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def writable(path: Union[str, Path]) -> Union[str, Path]:
    """Checks before long work that :func:`replacing` can write to a path and returns it; creates its folder.

    Raises:
        DataError: The file cannot be written.
    """
    with _writing(os.path.realpath(path)) as temporary, suppress(FileExistsError):
        # Another process may be writing the same file.
        temporary.touch(exist_ok=False)
        temporary.unlink()
    return path


@contextmanager
def _writing(path: Union[str, Path]) -> Iterator[Path]:
    temporary = Path(f'{path}.tmp')
    try:
        if Path(path).exists() and not Path(path).is_file():
            # A device such as /dev/null would also be replaced.
            raise OSError(errno.EINVAL, 'it exists and is not a file')
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except BaseException as error:
        # The same problem may prevent removing the file.
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise DataError(f'{path} cannot be written ({error.strerror})') from error
        raise


def sync(path: Path) -> None:
    """Flushes a file, or the entries of a folder, to disk, if the file system supports it.

    Failing to flush a folder is never an error, since its files are already written.
    """
    is_folder = path.is_dir()
    try:
        # Windows only flushes files that are open for writing, and cannot open folders.
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_folder and error.errno not in _UNSUPPORTED:
            raise


def lock(file: IO, busy: str) -> None:
    """Locks an open file until it is closed or the process ends; warns if the file system has no locks.

    Raises:
        ConfigError: Another process has locked it; the message is ``busy``.
    """
    # Not available on Windows.
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(busy) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        print_log(
            f'{file.name} cannot be locked ({error.strerror}): make sure that no other process uses its folder.',
            'current',
            logging.WARNING,
        )


def write_text(path: Union[str, Path], text: str) -> None:
    """Writes a UTF-8 file atomically; creates its folder.

    Raises:
        DataError: The file cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Union[str, Path], content: bytes) -> None:
    """Like :func:`write_text`, for bytes."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def decode_text(content: bytes, errors: str = 'strict') -> str:
    r"""Decodes UTF-8 or, with a byte order mark, UTF-16; removes the mark and converts line ends to \n.

    Raises:
        UnicodeDecodeError: The content is not text, or not UTF-8; ``errors`` is passed to ``bytes.decode``.
    """
    if content.startswith(UTF16_MARKS):
        content = content.decode('utf-16').encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    if (null := content.find(b'\0')) >= 0:
        raise UnicodeDecodeError('utf-8', content, null, null + 1, 'a null byte')
    return content.decode(errors=errors).replace('\r\n', '\n').replace('\r', '\n')


def read_bytes(path: Union[str, Path], advice: str) -> bytes:
    """A file's content; raises DataError with the advice if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror}): {advice}') from error


def read_text(path: Union[str, Path], advice: str = 'correct its path') -> str:
    """Reads a user's text file, see :func:`decode_text`.

    Raises:
        DataError: Names the file that cannot be read, with the advice, or the line that is not text.
    """
    return _decode(read_bytes(path, advice), path, 'strict')


def read_paths(path: Union[str, Path]) -> List[str]:
    r"""Reads a list of paths, one per line or separated by \0 as from ``find -print0``; ``-`` is standard input.

    Names that are not UTF-8 are decoded as by ``os.fsdecode``. Empty lines are ignored.

    Raises:
        DataError: Names the file that cannot be read, or the line that is not text.
    """
    content = sys.stdin.buffer.read() if str(path) == '-' else read_bytes(path, 'correct its path')
    if b'\0' in content and not content.startswith(UTF16_MARKS):
        return [_decode(name, path, 'surrogateescape') for name in content.split(b'\0') if name]
    return [line for line in _decode(content, path, 'surrogateescape').split('\n') if line.strip()]


def read_csv(path: Union[str, Path], advice: str = 'correct its path') -> Iterator[Tuple[int, List[str]]]:
    """Yields the header and the non-empty rows of a CSV file, each with its line number, from 1.

    The separator is the comma, semicolon or tab, whichever is most frequent in the header.

    Raises:
        DataError: Names the file that cannot be read, with the advice, or the line that is wrong.
    """
    text = read_text(path, advice)
    if not text.strip():
        raise DataError(f'{path} is empty: expected a header and rows')
    delimiter = max(',;\t', key=text.partition('\n')[0].count)
    rows = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(rows)]
        if repeated := [name for name in header if name and header.count(name) > 1]:
            raise DataError(
                f"{path}, line 1: column '{repeated[0]}' is there {header.count(repeated[0])} times: rename or remove "
                'one'
            )
        yield line, header
        # A quoted field may span several lines.
        line = rows.line_num + 1
        for row in rows:
            if row and len(row) != len(header):
                raise DataError(
                    f'{path}, line {line}: expected {len(header)} fields separated by {delimiter!r}, as in the '
                    f'header, found {len(row)}: correct it, and quote a field that contains {delimiter!r}'
                )
            if row:
                yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        raise DataError(f'{path}, line {line}: {error}: correct its quotes') from error


def _decode(content: bytes, path: Union[str, Path], errors: str) -> str:
    try:
        text = decode_text(content, errors)
    except UnicodeDecodeError as error:
        line, reason = len(error.object[: error.start + 1].splitlines()), error.reason
    else:
        found = NO_TEXT.search(text)
        if not found:
            return text
        line, reason = text.count('\n', 0, found.start()) + 1, 'a control character'
    raise DataError(f'{path}, line {line}: this is not UTF-8 text ({reason}): save it as UTF-8')
