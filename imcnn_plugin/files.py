import os
from pathlib import Path
from typing import Union

from .errors import DataError


def write_text(path: Union[str, Path], text: str) -> None:
    """Writes a file at once or not at all; its folder is made.

    Raises:
        DataError: It cannot be written.
    """
    temporary = Path(f'{path}.tmp')
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding='utf-8')
        os.replace(temporary, path)
    except OSError as error:
        if temporary.is_file():
            temporary.unlink()
        raise DataError(f'{path} cannot be written ({error.strerror})') from error
