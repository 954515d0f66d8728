from pathlib import Path
from typing import Union

from mmengine.fileio import LocalBackend, register_backend

from ..files import write_bytes


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """mmengine's ``LocalBackend`` with atomic writes: a file appears only once it is complete on disk."""

    def put(self, obj: bytes, filepath: Union[str, Path]) -> None:
        write_bytes(filepath, obj)
