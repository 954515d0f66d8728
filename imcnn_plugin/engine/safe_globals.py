"""Loads the checkpoints of mmengine by ``torch.load(weights_only=True)``, which runs nothing that a file asks for.

Beside tensors they hold the history of each logged number. Exactly the classes of that history are allowed, under the
names that NumPy 1 wrote as well; nothing else, and ``weights_only`` is never switched off.

mmengine leaves ``weights_only`` to torch's default, and for a URL that is False; its fork onedl-mmengine answers a
refusal by loading again without it. Therefore loaders of this module take the place of theirs.
"""

import os
import pickle
from typing import Any, Union

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


def load_from_local(path: str, map_location: Any = None) -> Any:
    """mmengine's loader of files.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: It holds something else than a checkpoint does.
    """
    path = os.path.expanduser(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} can not be found.')
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise not_trusted(path) from error


def load_from_http(url: str, map_location: Any = None) -> Any:
    """mmengine's loader of URLs; the main process downloads, the others read its file.

    Raises:
        DataError: The file holds something else than a checkpoint does.
    """
    if not is_main_process():
        barrier()
    try:
        return torch.hub.load_state_dict_from_url(url, map_location=map_location, weights_only=True)
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
