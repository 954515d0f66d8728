"""Runs a function over tasks in several processes."""

import multiprocessing
import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, Iterable, Iterator

import cv2
import torch

from .errors import ConfigError, DataError
from .signals import follow_parent, worker_context

__all__ = ['WorkerPool', 'default_jobs', 'map_in_processes', 'usable_cores']

# Number of tasks queued per process, since one task may take longer than those after it.
_AHEAD = 16
# The function that a worker process computes.
_function = None


def usable_cores() -> int:
    """Returns the number of CPU cores that this process may use; a scheduler may grant only some of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def default_jobs(num_items: int, items_per_process: int) -> int:
    """Returns one process per core, or fewer so that each has at least ``items_per_process`` items."""
    return max(1, min(usable_cores(), num_items // items_per_process))


def map_in_processes(function: Callable, tasks: Iterable, jobs: int) -> Iterator:
    """Yields ``function(task)`` for each task, in order, computed by a :class:`WorkerPool`.

    All processes have ended when it returns.

    Raises:
        ConfigError: ``jobs`` is not at least 1.
        DataError: A process was killed.
    """
    pool = WorkerPool(function, jobs)
    try:
        yield from pool.map(tasks)
    finally:
        pool.close()


class WorkerPool:
    """Worker processes that compute one function.

    Processes start with the first tasks and end with the pool. They are spawned, so the function must be importable or
    picklable, and tasks and results are pickled. OpenCV and torch use one thread in them. Ctrl-C only interrupts the
    calling process.

    Args:
        function: Takes one argument, the task. It is sent once to each process.
        jobs: Number of processes. With 1, the calling process computes everything and no process is started.

    Raises:
        ConfigError: ``jobs`` is not at least 1.
    """

    def __init__(self, function: Callable, jobs: int):
        if jobs < 1:
            raise ConfigError(f'the number of processes is {jobs}: give at least 1')
        if getattr(multiprocessing.current_process(), '_inheriting', False):
            raise ConfigError(
                'a worker process runs this script again from its beginning: put the calls that start processes under '
                "if __name__ == '__main__':"
            )
        self.function, self.jobs = function, jobs
        self._pool = None
        if jobs > 1:
            # A forked process could inherit a lock that a thread of cv2 or torch holds.
            self._pool = ProcessPoolExecutor(jobs, worker_context('spawn'), _start_process, (function,))

    def __reduce__(self):
        return type(self), (self.function, self.jobs)

    def map(self, tasks: Iterable) -> Iterator:
        """Yields ``function(task)`` for each task, in order; takes a few tasks per process in advance.

        Raises:
            DataError: A process was killed.
        """
        if self._pool is None:
            yield from map(self.function, tasks)
            return
        pending = deque()
        try:
            for task in tasks:
                pending.append(self._pool.submit(_call, task))
                if len(pending) > _AHEAD * self.jobs:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise DataError(
                'a worker process was killed, perhaps because memory ran out: run the same command again with fewer '
                "processes; a script of your own needs if __name__ == '__main__': around this call"
            ) from error
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _start_process(function: Callable) -> None:
    global _function
    _function = function
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    follow_parent()


def _call(task):
    return _function(task)
