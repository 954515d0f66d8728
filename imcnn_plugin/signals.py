"""Handles the signals that stop a process, in the process itself and in its workers."""

import copy
import multiprocessing
import os
import signal
import threading
import time
from functools import partial
from multiprocessing.context import BaseContext
from multiprocessing.sharedctypes import RawValue
from typing import Callable, Dict, Optional

from torch.utils.data import DataLoader

__all__ = [
    'follow_parent', 'install_handlers', 'interrupt', 'let_workers_follow', 'restore_handlers', 'worker_context'
]  # fmt: skip


def install_handlers(handler: Callable, *numbers: int) -> Dict[int, Callable]:
    """Sets a handler for signals; returns the previous handlers for :func:`restore_handlers`.

    Python only allows handlers in the main thread. In other threads, nothing changes and the result is empty.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in numbers}


def restore_handlers(before: Dict[int, Callable]) -> None:
    """Restores the handlers that :func:`install_handlers` returned."""
    for number, handler in before.items():
        # Python cannot restore handlers that it did not install.
        if handler is not None:
            signal.signal(number, handler)


def interrupt(number: int, frame: object) -> None:
    """A handler that raises KeyboardInterrupt with the signal number."""
    raise KeyboardInterrupt(number)


class _Worker:
    """A process in which :func:`follow_parent` ignores SIGTERM unless the parent sent it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # In shared memory, since a signal does not carry its sender.
        self.asked = RawValue('b', 0)

    def start(self) -> None:
        super().start()
        terminate = self._popen.terminate

        def ask() -> None:
            self.asked.value = 1
            terminate()

        # multiprocessing also calls this when the parent exits, and then waits forever.
        self._popen.terminate = ask


# By start method; spawned processes need a class at module level.
_WORKERS = {}
for _method in multiprocessing.get_all_start_methods():
    _name = f'_{_method.capitalize()}Worker'
    _base = multiprocessing.get_context(_method).Process
    _WORKERS[_method] = globals()[_name] = type(_name, (_Worker, _base), dict(__module__=__name__))


def worker_context(method: Optional[str] = None) -> BaseContext:
    """A multiprocessing context for processes that call :func:`follow_parent`; None is the default start method."""
    context = copy.copy(multiprocessing.get_context(method or multiprocessing.get_start_method()))
    context.Process = _WORKERS[context.get_start_method()]
    return context


def follow_parent() -> None:
    """Makes a process of a :func:`worker_context` end only when its parent ends or terminates it.

    Ctrl-C, launchers, Slurm and systemd also signal the workers, which the parent still needs for an orderly exit.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _exit_if_asked)
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()


def _exit_if_asked(number: int, frame: object) -> None:
    if multiprocessing.current_process().asked.value:
        # torch treats any other status as a failed worker.
        os._exit(0)


def _exit_with_parent(number: int) -> None:
    worker, parent = multiprocessing.current_process(), multiprocessing.parent_process()
    # Neither check is enough: forked siblings keep is_alive() true, and with a fork server getppid() is the server.
    while parent.is_alive() and os.getppid() == number and not worker.asked.value:
        time.sleep(1)
    os._exit(0)


def let_workers_follow(loader: DataLoader) -> DataLoader:
    """Makes the workers of a data loader call :func:`follow_parent`; returns it.

    By default, torch's workers end with their parent, but not always if it was killed: a worker may wait forever to
    hand over a batch.
    """
    if loader.num_workers and getattr(loader.worker_init_fn, 'func', None) is not _start_worker:
        loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        context = loader.multiprocessing_context
        loader.multiprocessing_context = worker_context(context and context.get_start_method())
    return loader


def _start_worker(init: Optional[Callable], number: int) -> None:
    follow_parent()
    if init is not None:
        init(number)
