"""Loads the checkpoints of mmengine by ``torch.load(weights_only=True)``, which runs nothing that a file asks for.

Beside tensors they hold the history of each logged number. Exactly the classes of that history are allowed, under the
names that NumPy 1 wrote as well; nothing else, and ``weights_only`` is never switched off.

mmengine leaves ``weights_only`` to torch's default, and for a URL that is False; its fork onedl-mmengine answers a
refusal by loading again without it. Therefore loaders of this module take the place of theirs.
"""

import os
import pickle
import zipfile
from typing import Any, Optional, Union

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import CheckpointLoader
from numpy._core.multiarray import _reconstruct, scalar

from ..errors import DataError

STATISTICS = ('min', 'max', 'current', 'mean')


def history_buffer_method(owner, name):
    """Stands in for ``getattr``, by which a pickled HistoryBuffer refers to its methods; answers for nothing else."""
    if owner is HistoryBuffer and name in STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(
        f'the file asks for {name!r} of {owner!r}, which no checkpoint needs: do not trust it'
    )


def load_file(path: Union[str, os.PathLike], map_location: Any = None, mmap: Optional[bool] = None) -> Any:
    """What a file of torch holds, with the arguments of ``torch.load``.

    Raises:
        DataError: It cannot be read, is damaged, or holds something else than a checkpoint does.
    """
    damaged = None
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                # torch does not compare the checksums that it writes.
                damaged = file.testzip()
        if damaged is None:
            return torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
    except OSError as error:
        raise DataError(f'{path} cannot be read ({error.strerror}): give the file of a checkpoint') from error
    except pickle.UnpicklingError as error:
        raise not_trusted(path) from error
    # What a damaged file raises is up to zipfile and torch, and is of many types.
    except Exception as error:
        reason = ' '.join(str(error).split())[:200]
        raise DataError(
            f'{path} is no checkpoint of torch, or damaged ({reason}): give the file of a checkpoint'
        ) from error
    raise DataError(f'{path} is damaged in its part {damaged}: give another checkpoint')


def checked(checkpoint: Any, source: str) -> dict:
    """A checkpoint as mmengine takes it, without what its ``Runner.resume`` would run as a program.

    Raises:
        DataError: It is no dict of dicts.
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
        raise DataError(f'{source}: {strange[0]!r} is the name of a weight, expected text')
    return checkpoint


def load_from_local(path: str, map_location: Any = None) -> Any:
    """mmengine's loader of files.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It holds something else than a checkpoint does, or is damaged.
    """
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} can not be found.')
    return checked(load_file(path, map_location), path)


def load_from_http(url: str, map_location: Any = None) -> Any:
    """mmengine's loader of URLs; the main process downloads, the others read its file.

    Raises:
        DataError: The file holds something else than a checkpoint does.
    """
    if not is_main_process():
        barrier()
    try:
        return checked(torch.hub.load_state_dict_from_url(url, map_location=map_location, weights_only=True), url)
    except pickle.UnpicklingError as error:
        raise not_trusted(url) from error
    finally:
        if is_main_process():
            barrier()


def not_trusted(source: Union[str, os.PathLike]) -> DataError:
    return DataError(f'{source} holds something else than weights, numbers and histories: do not trust it')


def allow_mmengine_checkpoints() -> None:
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            np.ndarray,
            np.dtype,
            _reconstruct,
            scalar,
            np.dtypes.Float64DType,
            np.dtypes.Int64DType,
            (_reconstruct, 'numpy.core.multiarray._reconstruct'),
            (scalar, 'numpy.core.multiarray.scalar'),
            (history_buffer_method, 'builtins.getattr'),
        ]
    )
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    CheckpointLoader.register_scheme(('http://', 'https://'), load_from_http, force=True)
