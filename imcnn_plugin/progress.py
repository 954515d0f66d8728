"""Progress of long work with an estimate of the rest: a bar on a terminal, a line now and then in a log."""

import time
from contextlib import contextmanager
from typing import Callable, Iterable, Iterator, Optional, TypeVar

from mmengine.dist import is_main_process
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ['format_duration', 'progress_bar', 'track']

Item = TypeVar('Item')
# Seconds until the first line in a log, and between lines.
_FIRST_LINE, _BETWEEN_LINES = 10, 60


@contextmanager
def progress_bar(
    title: str, total: int, completed: int = 0, unit: Optional[str] = None
) -> Iterator[Callable[[int], None]]:
    """Shows on the standard error stream how much is done and how long the rest takes; once for all processes.

    Args:
        title: What is done.
        total: Number of items.
        completed: Number of those that were finished before.
        unit: What the items are called, to show how many are finished in a second.

    Yields:
        A function that adds a number of finished items.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        *([TextColumn('{task.fields[rate]}')] if unit else []),
        TimeRemainingColumn(),
    )
    visible = console.is_terminal and is_main_process()
    # rich estimates from the last 30 s, which items that take longer never fill.
    bar = Progress(*columns, console=console, transient=True, disable=not visible, speed_estimate_period=24 * 3600)
    task = bar.add_task(title, total=total, completed=completed, rate='')
    start = time.monotonic()
    next_line = start + _FIRST_LINE

    def advance(number: int = 1) -> None:
        nonlocal next_line
        bar.advance(task, number)
        now, done = time.monotonic(), bar.tasks[0].completed
        speed = (done - completed) / max(now - start, 1e-9)
        rate = f'{speed:.1f} {unit}/s'
        bar.update(task, rate=rate)
        if not console.is_terminal and now > next_line and is_main_process():
            next_line = now + _BETWEEN_LINES
            rate = f'{rate}, ' if unit else ''
            rest = format_duration((total - done) / speed)
            console.print(f'{title}: {done:.0f} of {total}, {rate}about {rest} left')

    with bar:
        yield advance


def track(items: Iterable[Item], title: str, total: Optional[int] = None) -> Iterator[Item]:
    """Iterates over items with a :func:`progress_bar`.

    Args:
        items: What is iterated over.
        title: What is done.
        total: Their number, if they have no length.
    """
    with progress_bar(title, len(items) if total is None else total) as advance:
        for item in items:
            yield item
            advance()


def format_duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours, whichever is readable."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60:02} min'
