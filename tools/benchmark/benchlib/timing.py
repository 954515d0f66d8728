"""Runs variants alternately and says how they compare."""

import time
from typing import Callable, Dict, List, Optional, Sequence

import numpy as np
import torch


def synchronize() -> None:
    """Waits for the GPU, where there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def alternate(
    variants: Dict[str, Callable[[], object]],
    rounds: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    prepare: Dict[str, Callable[[], object]] = {},
) -> Dict[str, List[float]]:
    """Times variants in turn, A B C A B C ..., so that a machine that slows down slows all of them.

    Args:
        variants: What to run, by name.
        rounds: How often each is timed.
        warm_up: Rounds before that, which are not kept.
        clock: Seconds; ``time.process_time`` for the time of the processor alone.
        prepare: What to do before a variant, which is not timed.

    Returns:
        For each variant its seconds in each round. A line is printed every few seconds.
    """
    seconds = {name: [] for name in variants}
    told = time.perf_counter()
    for index in range(-warm_up, rounds):
        shown = []
        for name, run in variants.items():
            if name in prepare:
                prepare[name]()
            synchronize()
            start = clock()
            run()
            synchronize()
            taken = clock() - start
            shown.append(f'{name} {format_seconds(taken)}')
            if index >= 0:
                seconds[name].append(taken)
        if time.perf_counter() - told > 2:
            told = time.perf_counter()
            title = f'round {index + 1} of {rounds}' if index >= 0 else 'warm-up'
            print(f'  {title}: {"; ".join(shown)}', flush=True)
    return seconds


def summarize(seconds: Sequence[float]) -> Dict[str, float]:
    """Median, quartiles and the least."""
    least, lower, median, upper = np.percentile(seconds, (0, 25, 50, 75))
    return dict(median=float(median), lower_quartile=float(lower), upper_quartile=float(upper), least=float(least))


def times_as_fast(baseline: Sequence[float], seconds: Sequence[float]) -> float:
    """How many times as fast as the baseline: the median over rounds, each of which compares its own two times."""
    return float(np.median(np.divide(baseline, seconds)))


def format_seconds(seconds: float) -> str:
    """Three digits and a unit."""
    factor, unit = (1, 's') if seconds >= 1 else (1e3, 'ms') if seconds >= 1e-3 else (1e6, 'us')
    return f'{seconds * factor:.3g} {unit}'


def cell(value: Optional[float], form: str) -> str:
    """A number for a table; '-' for what was not measured."""
    return '-' if value is None else format(value, form)
