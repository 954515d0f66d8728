"""Loads mmengine checkpoints with ``torch.load(weights_only=True)``, which runs no code from the file.

Besides tensors, a checkpoint contains the history of every logged number and the dataset's ``METAINFO`` with NumPy
numbers and arrays. Exactly these classes are allowed, also under the names that NumPy 1 wrote. ``weights_only`` is
never turned off.

mmengine does not set ``weights_only``, and torch's default for a URL is False. The fork onedl-mmengine retries without
``weights_only`` after an error. The loaders of this module therefore replace theirs: permanently in this package's
tools and runs, and elsewhere only while the package reads a checkpoint.
"""

import os
import pickle
import zipfile
from contextlib import contextmanager
from threading import RLock
from typing import Any, Iterator, Optional, Union

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import CheckpointLoader

from ..errors import DataError, describe_os_error
from ..framework import NUMPY_RECONSTRUCT, NUMPY_SCALAR, checkpoint_loaders

_STATISTICS = ('min', 'max', 'current', 'mean')


def _history_buffer_method(owner, name):
    """Replaces ``getattr``, which a pickled HistoryBuffer uses to refer to its methods; rejects everything else."""
    if owner is HistoryBuffer and name in _STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(
        f'the file asks for {name!r} of {owner!r}, which no checkpoint needs: do not trust it'
    )


def _empty_bytes(*args):
    """Replaces ``bytes``, which a protocol 2 pickle calls to create b''; torch decodes all other bytes from text."""
    if args:
        raise pickle.UnpicklingError('the file asks for bytes of a number or a list, which no checkpoint needs')
    return b''


# A file could change the size of strings and records after creating an array of them, and objects can be anything.
_NO_NUMBERS = ('ObjectDType', 'VoidDType', 'BytesDType', 'StrDType', 'StringDType')
_SAFE_GLOBALS = [
    HistoryBuffer,
    np.ndarray,
    np.dtype,
    NUMPY_RECONSTRUCT,
    NUMPY_SCALAR,
    *(getattr(np.dtypes, name) for name in np.dtypes.__all__ if name not in _NO_NUMBERS),
    (NUMPY_RECONSTRUCT, 'numpy.core.multiarray._reconstruct'),
    (NUMPY_SCALAR, 'numpy.core.multiarray.scalar'),
    (_history_buffer_method, 'builtins.getattr'),
    (_empty_bytes, 'builtins.bytes'),
]


def allow_mmengine_checkpoints() -> None:
    """Adds the classes in checkpoints to torch's safe globals, which ``torch.load(weights_only=True)`` accepts."""
    torch.serialization.add_safe_globals(_SAFE_GLOBALS)


def load_file(path: Union[str, os.PathLike], map_location: Any = None, mmap: Optional[bool] = None) -> Any:
    """Reads a file written by ``torch.save``. ``map_location`` and ``mmap`` are those of ``torch.load``.

    Raises:
        DataError: The file cannot be read, is damaged, or contains objects that no checkpoint needs.
    """
    damaged = None
    # onedl-mmengine removes some of these classes from torch's list each time it loads a file.
    allow_mmengine_checkpoints()
    try:
        if is_zip := zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                # torch does not verify the checksums that it writes.
                damaged = file.testzip()
        else:
            # torch before 1.6 and mmpretrain's publish_model.py write plain pickles, which cannot be memory-mapped.
            with open(path, 'rb') as file:
                if file.read(1) != pickle.PROTO:
                    raise ValueError('neither a zip archive nor a pickle')
        if damaged is None:
            return torch.load(path, map_location=map_location, weights_only=True, mmap=mmap and is_zip)
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror}): give the file of a checkpoint') from error
    except pickle.UnpicklingError as error:
        raise _not_trusted(path) from error
    # zipfile and torch raise many types of errors for a damaged file.
    except Exception as error:
        reason = ' '.join(str(error).split())[:200]
        raise DataError(
            f'{path} is not a torch checkpoint, or damaged ({reason}): give the file of a checkpoint'
        ) from error
    raise DataError(f'{path} is damaged in {damaged}: give another checkpoint')


def check_checkpoint(checkpoint: Any, source: str) -> dict:
    """Checks the structure of a checkpoint and removes the config that ``Runner.resume`` would execute.

    Args:
        checkpoint: The object that :func:`load_file` returned.
        source: The file, for messages.

    Raises:
        DataError: The checkpoint, its ``meta`` or ``state_dict`` is not a dict, or a weight's name is not a string.
    """
    if not isinstance(checkpoint, dict):
        raise DataError(f'{source} holds a {type(checkpoint).__name__}, not the dict of a checkpoint')
    for key, kinds in dict(meta=(dict, type(None)), state_dict=dict).items():
        if not isinstance(checkpoint.get(key, {}), kinds):
            raise DataError(f'{source}: {key} is a {type(checkpoint[key]).__name__}, expected a dict')
    if checkpoint.get('meta'):
        checkpoint['meta'].pop('config', None)
    weights = checkpoint.get('state_dict', checkpoint)
    if strange := [key for key in weights if not isinstance(key, str)]:
        raise DataError(f'{source}: {strange[0]!r} is the name of a weight, expected a string')
    return checkpoint


def _load_from_local(path: str, map_location: Any = None) -> Any:
    """Replaces mmengine's loader for local files."""
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} can not be found.')
    return check_checkpoint(load_file(path, map_location), path)


def _load_from_http(url: str, map_location: Any = None) -> Any:
    """Replaces mmengine's loader for URLs. The main process downloads the file, then the others read it.

    Raises:
        DataError: The file cannot be downloaded, or contains objects that no checkpoint needs.
    """
    allow_mmengine_checkpoints()
    if not is_main_process():
        barrier()
    try:
        return check_checkpoint(
            torch.hub.load_state_dict_from_url(url, map_location=map_location, weights_only=True), url
        )
    except pickle.UnpicklingError as error:
        raise _not_trusted(url) from error
    except OSError as error:
        raise DataError(
            f'{url} cannot be downloaded ({describe_os_error(error)}): download it elsewhere and give its path, such '
            'as --cfg-options model.backbone.init_cfg.checkpoint=FILE, or load_from=FILE'
        ) from error
    finally:
        if is_main_process():
            barrier()


def _not_trusted(source: Union[str, os.PathLike]) -> DataError:
    return DataError(f'{source} holds more than weights, numbers and histories: do not trust it')


_LOADERS = {'': _load_from_local, 'http://': _load_from_http, 'https://': _load_from_http}
# Guards mmengine's table of loaders.
_LOCK = RLock()


def _register(loaders: dict) -> None:
    for prefix, loader in loaders.items():
        CheckpointLoader.register_scheme(prefix, loader, force=True)


def register_safe_loaders() -> None:
    """Makes mmengine load all files and URLs in this process with ``weights_only``, as our tools and runs do."""
    with _LOCK:
        _register(_LOADERS)


@contextmanager
def safe_loaders() -> Iterator[None]:
    """Does the same as :func:`register_safe_loaders`, but only within a ``with`` block."""
    with _LOCK:
        before = checkpoint_loaders()
        _register(_LOADERS)
        try:
            yield
        finally:
            _register({prefix: before[prefix] for prefix in _LOADERS})
