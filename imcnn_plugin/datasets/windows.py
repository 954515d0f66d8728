"""A CSV file of photo windows, and a transform that crops photos to them."""

import csv
import io
from pathlib import Path
from typing import Dict, Iterable, Optional, Tuple, Union

import numpy as np
from mmcv.transforms import BaseTransform
from mmpretrain.registry import TRANSFORMS

from ..errors import DataError
from ..files import read_csv, write_text
from .issues import quote

COLUMNS = ['name', 'left', 'top', 'right', 'bottom']


def write_windows(path: Union[str, Path], names: Iterable[str], windows: np.ndarray) -> None:
    """Atomically writes a CSV file with the file name and window of each photo.

    Args:
        path: The file.
        names: File names of the N photos.
        windows: ``(N, 4)``: left, top, right, bottom in pixels; windows may extend beyond the photo.

    Raises:
        DataError: The file cannot be written.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator='\n')
    writer.writerow(COLUMNS)
    writer.writerows([name, *(f'{value:.1f}' for value in window)] for name, window in zip(names, windows))
    write_text(path, table.getvalue())


def read_windows(path: Union[str, Path]) -> Dict[str, np.ndarray]:
    """Reads the file of :func:`write_windows`: windows ``(4, )`` by file name.

    Raises:
        DataError: The file cannot be read or has other columns, or a window is empty or not numeric.
    """
    rows = read_csv(path, 'write it with tools/train_lnets_anet.py')
    _, header = next(rows)
    if header != COLUMNS:
        raise DataError(f'{path} has the columns {", ".join(header)}: expected {", ".join(COLUMNS)}')
    windows = {}
    for line, (name, *values) in rows:
        try:
            window = np.array(values, float)
        except ValueError:
            window = np.full(4, np.nan)
        if not (window[2:] > window[:2]).all():
            raise DataError(f'{path}, line {line}: {",".join(values)} is no window: expected left,top,right,bottom')
        if name in windows:
            raise DataError(f'{path}, line {line}: {quote(name)} is already listed: remove one of its lines')
        windows[name] = window
    return windows


@TRANSFORMS.register_module()
class CropToWindow(BaseTransform):
    """Crops a photo to its window; outside of the photo, border pixels are repeated.

    Args:
        windows: The CSV file of :func:`write_windows`.
        enlarge: Width and height of the crop, relative to the window.
        shift: Distance of the crop's center below the window's center, relative to the window's height.

    Raises:
        DataError: The file cannot be read, or has no window for a photo.
    """

    def __init__(self, windows: str, enlarge: Tuple[float, float] = (1, 1), shift: float = 0):
        self.path, self.enlarge, self.shift = windows, enlarge, shift
        self.windows: Optional[Dict[str, np.ndarray]] = None

    def transform(self, results: dict) -> dict:
        """Crops ``img``, updates its shapes and adds ``window`` ``(4, )``, the crop in pixels of the photo."""
        if self.windows is None:
            self.windows = read_windows(self.path)
        name = Path(results['img_path']).name
        if name not in self.windows:
            raise DataError(f'{self.path} has no window for {name}: remove the file, and it is made again')
        window = self.windows[name].reshape(2, 2)
        center, side = window.mean(0), window[1] - window[0]
        half = side * self.enlarge / 2
        center[1] += self.shift * side[1]
        start, stop = np.round([center - half, center + half]).astype(int)
        stop = np.maximum(stop, start + 1)
        # Outside of the photo, repeat its border.
        height, width = results['img'].shape[:2]
        columns = np.arange(start[0], stop[0]).clip(0, width - 1)
        rows = np.arange(start[1], stop[1]).clip(0, height - 1)
        image = np.ascontiguousarray(results['img'][rows[:, None], columns])
        results.update(
            img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2], window=np.concatenate([start, stop])
        )
        return results

    def __repr__(self) -> str:
        return f'CropToWindow(windows={self.path!r}, enlarge={self.enlarge}, shift={self.shift})'
