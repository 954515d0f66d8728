"""Signals that ask a process to stop, in it and in the processes that work for it."""

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


class _Worker:
    """A process that :func:`follow_parent` lets ignore SIGTERM, unless its parent has asked for it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # In shared memory, since a signal does not say who sent it.
        self.asked = RawValue('b', 0)

    def start(self) -> None:
        super().start()
        terminate = self._popen.terminate

        def ask() -> None:
            self.asked.value = 1
            terminate()

        # Also multiprocessing calls it, when the parent exits, and then waits without end.
        self._popen.terminate = ask


# By the method that starts them; spawned ones need a class of a module.
_WORKERS = {}
for _method in multiprocessing.get_all_start_methods():
    _name = f'_{_method.capitalize()}Worker'
    _base = multiprocessing.get_context(_method).Process
    _WORKERS[_method] = globals()[_name] = type(_name, (_Worker, _base), dict(__module__=__name__))


def worker_context(method: Optional[str] = None) -> BaseContext:
    """A context of multiprocessing, by default its own, for processes that call :func:`follow_parent`."""
    context = copy.copy(multiprocessing.get_context(method or multiprocessing.get_start_method()))
    context.Process = _WORKERS[context.get_start_method()]
    return context


def follow_parent() -> None:
    """Makes a process of a :func:`worker_context` end when its parent ends or terminates it, not by signals of others.

    Ctrl-C, launchers, Slurm and systemd signal the workers of a process as well, which needs them to end in order.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _exit_if_asked)
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()


def _exit_if_asked(number: int, frame: object) -> None:
    if multiprocessing.current_process().asked.value:
        # torch takes any other status for that of a worker that failed.
        os._exit(0)


def _exit_with_parent(number: int) -> None:
    worker, parent = multiprocessing.current_process(), multiprocessing.parent_process()
    # Forked processes keep each other's parent_process() alive, and that of a fork server is another one.
    while parent.is_alive() and os.getppid() == number and not worker.asked.value:
        time.sleep(1)
    os._exit(0)


def let_workers_follow(loader: DataLoader) -> DataLoader:
    """Makes the workers of a data loader call :func:`follow_parent`; returns it.

    torch's own end when their process terminates, but not always after it was killed: one waits forever to hand over
    a batch.
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
