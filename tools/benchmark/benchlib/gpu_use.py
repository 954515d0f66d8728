"""How much of a GPU a piece of work uses."""

import time
from typing import Callable, Iterable, Tuple

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from .timing import synchronize


def covered(intervals: Iterable[Tuple[float, float]]) -> float:
    """Length of the union of intervals ``(start, end)``."""
    total, reached = 0.0, float('-inf')
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def busy_share(run: Callable[[], object]) -> float:
    """Share of the wall time in which the GPU computes or copies. The profiler's own time is in the wall time."""
    synchronize()
    with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiler:
        start = time.perf_counter()
        run()
        synchronize()
        wall = time.perf_counter() - start
    intervals = [
        (event.time_range.start, event.time_range.end)
        for event in profiler.events()
        if event.device_type == DeviceType.CUDA and not event.is_user_annotation
    ]
    return covered(intervals) / 1e6 / wall


def peak_memory(run: Callable[[], object], own: int) -> int:
    """Bytes of GPU memory at the highest point, as if nothing else was there.

    Args:
        run: The work.
        own: Bytes that it holds already, such as weights and momentum.
    """
    synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    synchronize()
    return torch.cuda.max_memory_allocated() - before + own
