import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union

from .errors import DataError


@contextmanager
def replacing(path: Union[str, Path]) -> Iterator[Path]:
    """A temporary name to write to, which becomes ``path`` at the end: whole or not at all. The folder is made.

    What was written is on the disk before it gets its name, so that a power cut leaves the old file or the new one.

    Raises:
        DataError: It cannot be written.
    """
    temporary = Path(f'{path}.tmp')
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(temporary.parent)
    except OSError as error:
        # Of a name that is too long this is false, where Path's own method raises.
        if os.path.isfile(temporary):
            temporary.unlink()
        raise DataError(f'{path} cannot be written ({error.strerror})') from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Waits until a file, or the list of names of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Union[str, Path], text: str) -> None:
    """Writes a file at once or not at all; its folder is made.

    Raises:
        DataError: It cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8')
