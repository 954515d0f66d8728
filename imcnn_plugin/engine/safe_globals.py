"""Lets ``torch.load(weights_only=True)``, torch's default since 2.6, read the checkpoints of mmengine.

Beside tensors they hold the history of each logged number. Exactly the classes of that history are allowed, under the
names that NumPy 1 wrote as well; nothing else, and ``weights_only`` is never switched off.
"""

import pickle

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer
from numpy._core.multiarray import _reconstruct, scalar

STATISTICS = ('min', 'max', 'current', 'mean')


def history_buffer_method(owner, name):
    """Stands in for ``getattr``, by which a pickled HistoryBuffer refers to its methods; answers for nothing else."""
    if owner is HistoryBuffer and name in STATISTICS:
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(
        f'the file asks for {name!r} of {owner!r}, which no checkpoint needs: do not trust it'
    )


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
