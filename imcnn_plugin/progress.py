"""Shows progress and the remaining time of long work: a bar on a terminal, occasional lines in a log."""

import time
from contextlib import contextmanager
from typing import Callable, Iterable, Iterator, Optional, TypeVar

from mmengine.dist import is_main_process
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ['BETWEEN_LINES', 'ProgressLines', 'format_duration', 'progress_bar', 'track']

Item = TypeVar('Item')
# Seconds until the first line in a log, and between lines.
_FIRST_LINE, BETWEEN_LINES = 10, 60


class ProgressLines:
    """Occasional lines for a log with the progress and the remaining time.

    Args:
        title: Name of the work.
        total: Number of items.
        completed: Number of items that were finished before.
        first: Seconds until the first line.
    """

    def __init__(self, title: str, total: int, completed: int = 0, first: float = _FIRST_LINE):
        self.title, self.total, self.completed = title, total, completed
        self.start = time.monotonic()
        self.next_line = self.start + first

    def speed(self, done: float) -> float:
        """Items per second, given the number of finished items."""
        return (done - self.completed) / max(time.monotonic() - self.start, 1e-9)

    def line(self, done: float, unit: Optional[str] = None) -> Optional[str]:
        """The line for ``done`` finished items, with their speed if there is a unit; None if no line is due."""
        if time.monotonic() <= self.next_line:
            return None
        self.postpone()
        speed = self.speed(done)
        rate = f'{speed:.1f} {unit}/s, ' if unit else ''
        rest = format_duration((self.total - done) / speed)
        return f'{self.title}: {done:.0f} of {self.total}, {rate}about {rest} left'

    def postpone(self) -> None:
        """Delays the next line by a minute."""
        self.next_line = time.monotonic() + BETWEEN_LINES


@contextmanager
def progress_bar(
    title: str, total: int, completed: int = 0, unit: Optional[str] = None
) -> Iterator[Callable[[int], None]]:
    """Shows the progress and the remaining time on standard error; in distributed runs, only the main process does.

    Args:
        title: Name of the work.
        total: Number of items.
        completed: Number of items that were finished before.
        unit: Name of the items. If given, the number of items per second is shown.

    Yields:
        A function that advances the bar by a number of finished items.
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
    # By default, rich estimates from the last 30 s, which fails if items take longer.
    bar = Progress(*columns, console=console, transient=True, disable=not visible, speed_estimate_period=24 * 3600)
    task = bar.add_task(title, total=total, completed=completed, rate='')
    lines = ProgressLines(title, total, completed)

    def advance(number: int = 1) -> None:
        bar.advance(task, number)
        done = bar.tasks[0].completed
        bar.update(task, rate=f'{lines.speed(done):.1f} {unit}/s')
        if not console.is_terminal and is_main_process() and (line := lines.line(done, unit)):
            console.print(line)

    with bar:
        yield advance


def track(items: Iterable[Item], title: str, total: Optional[int] = None) -> Iterator[Item]:
    """Iterates over items with a :func:`progress_bar`.

    Args:
        items: The items to iterate over.
        title: Name of the work.
        total: Number of items, if ``items`` has no length.
    """
    with progress_bar(title, len(items) if total is None else total) as advance:
        for item in items:
            yield item
            advance()


def format_duration(seconds: float) -> str:
    """Formats a duration in seconds, minutes or hours."""
    if seconds < 90:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes} min' if minutes < 90 else f'{minutes // 60} h {minutes % 60:02} min'
