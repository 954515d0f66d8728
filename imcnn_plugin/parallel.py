import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, Iterator

import cv2

from .errors import DataError


def usable_cores() -> int:
    """The cores that this process may use, where a job has some of a machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


ROWS_A_TASK = 256
# Fewer images than this are read sooner than another process has imported the package.
ROWS_A_PROCESS = 2000


def results(function: Callable, tasks: list, jobs: int) -> Iterator[dict]:
    if jobs == 1:
        yield from map(function, tasks)
        return
    # A forked child could inherit a lock that a thread of cv2 or torch holds.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context('spawn'), start_process) as pool:
        try:
            yield from pool.map(function, tasks)
        except BrokenProcessPool as error:
            raise DataError(
                'a process was ended from outside, perhaps as memory ran out: give the same command again, with '
                'fewer processes'
            ) from error


def start_process() -> None:
    cv2.setNumThreads(1)
    # An interruption is the main process's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with_parent, daemon=True).start()


def leave_with_parent() -> None:
    """Ends a process whose parent was killed, and which would wait for tasks for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)
