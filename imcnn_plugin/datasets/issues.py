"""What can be wrong with a data set: a training refuses the first error, ``tools/data/check.py`` lists them all."""

from dataclasses import dataclass
from typing import Callable, Optional, Sequence

from ..errors import DataError


@dataclass(frozen=True)
class Kind:
    """A kind of problem.

    Args:
        name: A heading over such problems.
        advice: What to do.
        is_error: A training would stop or be wrong. Otherwise it is odd, and a person should look at it.
    """

    name: str
    advice: str
    is_error: bool = True


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Args:
        kind: Its kind.
        path: The file or folder.
        line: The line of the file, from 1; None for the whole.
        found: What was found there.
    """

    kind: Kind
    path: str
    line: Optional[int]
    found: str

    @property
    def where(self) -> str:
        return self.path if self.line is None else f'{self.path}, line {self.line}'


# Takes the problems that one check found: ``refuse``, or ``extend`` of a list.
Report = Callable[[Sequence[Problem]], None]


def refuse(problems: Sequence[Problem]) -> None:
    """Raises DataError with the first error, and says how many more there are of its kind."""
    errors = [problem for problem in problems if problem.kind.is_error]
    if errors:
        first = errors[0]
        more = sum(problem.kind == first.kind for problem in errors) - 1
        raise DataError(
            f'{first.where}: {first.found}{f" (and {more} more of this kind)" if more else ""}: {first.kind.advice}'
        )


def show(text: bytes) -> str:
    """Bytes of a file, safe and short enough for a message."""
    text = text.strip()
    return repr((text[:40] + b'...' if len(text) > 40 else text).decode(errors='replace'))
