"""Checks that this process can predict on a device."""

import os
from functools import cache
from numbers import Real
from typing import Union

import torch

from ..errors import ConfigError


@cache
def _first_process() -> int:
    """The process that was the first to make an inferencer: this one, or one that this was forked from."""
    return os.getpid()


def _open_device(device: Union[str, torch.device]) -> torch.device:
    """Checks that this process can use a device.

    Raises:
        ConfigError: It cannot.
    """
    if os.getpid() != _first_process():
        # A forked process lacks its parent's threads, for which PyTorch would wait.
        torch.set_num_threads(1)
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split('\n')[0]
        raise ConfigError(f"device '{device}' cannot be used ({reason})") from error


def _check_positive(name: str, value: Real) -> None:
    """Raises ConfigError if a value is not a positive integer."""
    if not isinstance(value, Real) or not 1 <= value < float('inf') or value != int(value):
        raise ConfigError(f'{name} must be a positive integer, found {value!r}')
