"""Signals that ask a process to stop, in it and in the processes that work for it."""

import multiprocessing
import os
import signal
import threading
import time
from functools import partial
from typing import Callable, Dict, Optional

from torch.utils.data import DataLoader

__all__ = ['follow_parent', 'install_handlers', 'interrupt', 'let_workers_follow', 'restore_handlers']


def install_handlers(handler: Callable, *numbers: int) -> Dict[int, Callable]:
    """Handles signals by a function; returns the handlers before it, for :func:`restore_handlers`.

    Python has handlers in the main thread only: in another one nothing is changed, and the result is empty.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in numbers}


def restore_handlers(before: Dict[int, Callable]) -> None:
    """Restores what :func:`install_handlers` returned."""
    for number, handler in before.items():
        # One that was not installed by Python cannot be restored by it.
        if handler is not None:
            signal.signal(number, handler)


def interrupt(number: int, frame: object) -> None:
    """A handler that raises KeyboardInterrupt, with the number of the signal."""
    raise KeyboardInterrupt(number)


def follow_parent() -> None:
    """Makes a process that works for another end when that one does or terminates it, and by no signal of others.

    Ctrl-C, launchers, Slurm and systemd signal the workers of a process as well, which needs them to end in order.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, 'sigtimedwait'):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        # What unblocks it, as multiprocessing does when it starts its resource tracker, must not make it deadly.
        signal.signal(signal.SIGTERM, _ignore)
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()


def _ignore(number: int, frame: object) -> None:
    pass


def _exit_with_parent(number: int) -> None:
    parent = multiprocessing.parent_process()
    # Forked processes keep each other's parent_process() alive, and that of a fork server is another one.
    while parent.is_alive() and os.getppid() == number:
        # Not available on Windows and macOS.
        if not hasattr(signal, 'sigtimedwait'):
            time.sleep(1)
        elif (asked := signal.sigtimedwait({signal.SIGTERM}, 1)) and asked.si_pid == parent.pid:
            break
    # torch takes any other status for that of a worker that failed.
    os._exit(0)


def let_workers_follow(loader: DataLoader) -> DataLoader:
    """Makes the workers of a data loader call :func:`follow_parent`; returns it.

    torch's own end when their process terminates, but not always after it was killed: one waits forever to hand over
    a batch.
    """
    if getattr(loader.worker_init_fn, 'func', None) is not _start_worker:
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
    return loader


def _start_worker(init: Optional[Callable], number: int) -> None:
    follow_parent()
    if init is not None:
        init(number)
