"""Reads MATLAB files."""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Dict, Mapping, Sequence, Union

import numpy as np

from ..errors import DataError
from ..signals import follow_parent, worker_context
from .issues import quote


def _read_mat(path: Path, fields: Dict[str, type], optional: Mapping[str, type] = {}) -> list:
    """Reads variables of a MATLAB file of version 5 or 7.3.

    ``fields`` maps their names to types: list for lists of str, np.ndarray for numbers in MATLAB's shape. The
    variables of ``optional`` follow, None if they are missing.
    """
    with path.open('rb') as file:
        head = file.read(80)
    reader = next((reader for magic, reader in READERS.items() if head.startswith(magic)), None)
    if reader is None:
        raise DataError(
            f'{path}: expected a MATLAB file of version 5 or 7.3, found one that begins with {quote(head)}: is this '
            'the file as downloaded?'
        )
    required, fields = fields, {**fields, **optional}
    try:
        # Read in another process, since some damaged files crash scipy and HDF5.
        with ProcessPoolExecutor(1, worker_context('fork'), follow_parent) as pool:
            found = pool.submit(reader, path, list(fields)).result()
    except ImportError as error:
        raise DataError(f"{path} cannot be read ({error}): pip install 'imcnn_plugin[analysis]'") from error
    # h5py and scipy raise many types of errors for damaged files.
    except Exception as error:
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())
        raise DataError(f'{path} cannot be read ({reason}): download it again') from error
    for field, kind in fields.items():
        if field not in found:
            if field not in required:
                found[field] = None
                continue
            raise DataError(f"{path} has no variable '{field}': download it again")
        if not isinstance(found[field], kind) or (kind is np.ndarray and found[field].dtype.kind not in 'biuf'):
            raise DataError(f'{path}: expected {field} to be {"text" if kind is list else "numbers"}')
    return [found[field] for field in fields]


def _read_v5(path: Path, fields: Sequence[str]) -> dict:
    """Version 5: text is a cell array of arrays with one string each, or a character matrix, an array of strings."""
    from scipy.io import loadmat

    found = loadmat(path, variable_names=fields)
    return {
        field: [_to_string(cell) for cell in value.ravel()] if value.dtype.kind in 'OU' else value
        for field, value in found.items()
        if field in fields
    }


def _to_string(cell: Union[np.ndarray, str]) -> str:
    """The string in nested arrays of size one, '' if there is none."""
    while isinstance(cell, np.ndarray) and cell.size == 1:
        cell = cell.flat[0]
    return str(cell) if isinstance(cell, str) else ''


def _read_v73(path: Path, fields: Sequence[str]) -> dict:
    """Version 7.3 is HDF5: arrays are transposed, and text is an array of references to arrays of character codes."""
    import h5py

    found = {}
    with h5py.File(path, 'r') as file:
        for field in fields:
            if field not in file:
                continue
            value = file[field][()]
            if h5py.check_ref_dtype(file[field].dtype):
                texts = []
                for reference in value.ravel():
                    # HDF5's own functions: h5py's classes take three times as long for thousands of names.
                    cell = h5py.h5r.dereference(reference, file.id)
                    codes = np.empty(cell.shape, '<u2')
                    cell.read(h5py.h5s.ALL, h5py.h5s.ALL, codes)
                    texts.append(codes.tobytes().decode('utf-16-le', 'replace'))
                found[field] = texts
            else:
                found[field] = value.T
    return found


# By the first bytes of a file. MATLAB 7.3 writes its own header before that of HDF5; other programs omit it.
READERS = {b'MATLAB 5.0': _read_v5, b'MATLAB 7.3': _read_v73, b'\x89HDF\r\n\x1a\n': _read_v73}
