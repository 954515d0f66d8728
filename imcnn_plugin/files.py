"""Atomic writes."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union

from .errors import DataError

__all__ = ['replacing', 'sync', 'write_text']


@contextmanager
def replacing(path: Union[str, Path]) -> Iterator[Path]:
    """Yields a temporary path to write to, which replaces ``path`` atomically at the end; creates its folder.

    The content is flushed to disk before it gets its name: a power cut leaves either the old or the new file.

    Raises:
        DataError: The file cannot be written.
    """
    temporary = Path(f'{path}.tmp')
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(temporary.parent)
    except OSError as error:
        # Path.is_file raises for a name that is too long.
        if os.path.isfile(temporary):
            temporary.unlink()
        raise DataError(f'{path} cannot be written ({error.strerror})') from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Flushes a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Union[str, Path], text: str) -> None:
    """Writes a UTF-8 file atomically; creates its folder.

    Raises:
        DataError: The file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8')
