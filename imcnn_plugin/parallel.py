"""Runs a function over tasks in several processes."""

import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Callable, Iterable, Iterator

import cv2

from .errors import ConfigError, DataError
from .signals import follow_parent, worker_context

__all__ = ['default_jobs', 'map_in_processes', 'usable_cores']


def usable_cores() -> int:
    """Returns the number of CPU cores that this process may use: a scheduler may grant only some of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def default_jobs(num_items: int, items_per_process: int) -> int:
    """Returns a number of processes: one per core, but each has at least ``items_per_process`` of the items to do."""
    return max(1, min(usable_cores(), num_items // items_per_process))


def map_in_processes(function: Callable, tasks: Iterable, jobs: int) -> Iterator:
    """Yields ``function(task)`` for each task, in order, computed by ``jobs`` processes; with 1 none is started.

    Processes are spawned, so functions must be importable, and tasks and results are pickled. OpenCV has one thread in
    them. Ctrl-C interrupts the calling process only, and no process outlives it.

    Raises:
        ConfigError: ``jobs`` is not at least 1.
        DataError: A process was killed.
    """
    if jobs < 1:
        raise ConfigError(f'the number of processes is {jobs}: give at least 1')
    if jobs == 1:
        yield from map(function, tasks)
        return
    # A forked process could inherit a lock that a thread of cv2 or torch holds.
    with ProcessPoolExecutor(jobs, worker_context('spawn'), _start_process) as pool:
        try:
            yield from pool.map(function, tasks)
        except BrokenProcessPool as error:
            raise DataError(
                'a worker process was killed, perhaps because memory ran out: run the same command again with fewer '
                'processes'
            ) from error


def _start_process() -> None:
    cv2.setNumThreads(1)
    follow_parent()
