"""Messages about photos that cannot be predicted, or only badly."""

import logging
from typing import Optional

import cv2
from mmengine.logging import print_log

from ..errors import DataError, one_line
from .face_alignment import SIZE

# Exceptions that reading, detection, alignment and a pipeline raise for the pixels of one photo. Other errors, such as
# TypeError or GPU errors, are bugs or concern every photo.
_PHOTO_ERRORS = (DataError, ArithmeticError, IndexError, MemoryError, ValueError, cv2.error)


def _describe_error(path: Optional[str], error: Exception) -> str:
    """One line, with the path if there is one."""
    message = str(error) if isinstance(error, DataError) else f'its faces cannot be predicted ({one_line(error)})'
    return message if path is None or path in message else f'{path}: {message}'


class _FrameCheck:
    """Counts aligned faces whose shape is not that of CelebA's."""

    def __init__(self):
        self.photos, self.unlike, self.example = 0, 0, None

    def add(self, result: dict) -> None:
        """Counts a result; photos in which faces are detected may have any shape."""
        if not result['faces'] or result['faces'][0]['box'] is not None:
            return
        width, height = result['size']
        self.photos += 1
        if abs(width * SIZE[1] / (height * SIZE[0]) - 1) > 0.05:
            self.unlike += 1
            self.example = self.example or f'{result["path"] or "an array"} ({width} x {height})'

    def warn(self) -> bool:
        """Writes a warning to the log if there are any; returns whether there are."""
        if self.unlike:
            print_log(
                f'{self.unlike} of {self.photos} aligned faces have another shape than {SIZE[0]} x {SIZE[1]}, that of '
                f"CelebA's, such as {self.example}: whole photos and faces cropped in another way than those of the "
                'training are predicted badly; have faces detected, without --aligned (aligned=True).',
                'current',
                logging.WARNING,
            )
        return self.unlike > 0
