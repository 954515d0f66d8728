from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from ..files import replacing


@register_backend('whole_file')
class WholeFileBackend(LocalBackend):
    """mmengine's ``LocalBackend``, but a file appears under its name only when all of it is on the disk."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        with replacing(filepath) as temporary:
            temporary.write_bytes(obj)
