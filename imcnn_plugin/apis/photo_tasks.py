"""Tasks: photos as they are sent to the processes that detect their faces."""

from itertools import repeat
from typing import Any, Iterable, Iterator, NamedTuple, Optional

from ..errors import ConfigError
from .photos import PhotoType, _read_content, is_single, list_photos


class _Task(NamedTuple):
    """A photo, and the positions of its faces if they are known, see :meth:`FaceAttributeInferencer.stream`."""

    photo: PhotoType
    boxes: Any  # (F, 4) or None
    landmarks: Any  # (F, 5, 2) or None
    aligned: bool
    keep_crops: bool


def _photo_tasks(
    inputs: Any,
    read_files: bool,
    aligned: bool,
    keep_crops: bool = False,
    boxes: Optional[Iterable] = None,
    landmarks: Optional[Iterable] = None,
) -> Iterator[_Task]:
    """Yields the tasks of photos one by one; open files are read if they are sent to other processes.

    Raises:
        DataError: There is no photo, or a folder has none.
        ConfigError: Boxes or landmarks are given for fewer or more photos than there are.
    """
    known = dict(boxes=boxes, landmarks=landmarks)
    for name, values in known.items():
        known[name] = repeat(None) if values is None else iter([values] if is_single(inputs) else values)
    for photo in list_photos(inputs):
        if read_files and hasattr(photo, 'read'):
            photo = _read_content(photo)
        given = {}
        for name, values in known.items():
            try:
                given[name] = next(values)
            except StopIteration:
                raise ConfigError(f'{name} are given for fewer photos than there are') from None
        yield _Task(photo, aligned=aligned, keep_crops=keep_crops, **given)
    for name, values in dict(boxes=boxes, landmarks=landmarks).items():
        # A generator may be endless.
        if isinstance(values, (list, tuple)) and not is_single(inputs) and next(known[name], None) is not None:
            raise ConfigError(f'{name} are given for more photos than there are')
