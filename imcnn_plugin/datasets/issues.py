"""Issues of a dataset: training raises the first error, ``tools/data/check.py`` lists all errors and warnings."""

from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Union

from ..errors import DataError


@dataclass(frozen=True)
class IssueKind:
    """A kind of issue."""

    name: str  # the heading over issues of this kind
    advice: str  # what to do about them
    is_error: bool = True  # training would stop or be wrong; otherwise the data is usable but suspicious


@dataclass(frozen=True)
class Issue:
    """One thing that is wrong."""

    kind: IssueKind
    path: str  # of the file or folder
    line: Optional[int]  # of the file, from 1; None for the whole file
    found: str  # what was found there

    @property
    def where(self) -> str:
        """The file and the line."""
        return self.path if self.line is None else f'{self.path}, line {self.line}'


# Called with the issues that one check found: ``_reject``, or ``extend`` of a list.
IssueHandler = Callable[[Sequence[Issue]], None]


def _reject(issues: Sequence[Issue]) -> None:
    """Raises DataError for the first error, with the number of further errors of its kind; ignores warnings."""
    errors = [issue for issue in issues if issue.kind.is_error]
    if errors:
        first = errors[0]
        more = sum(issue.kind == first.kind for issue in errors) - 1
        raise DataError(
            f'{first.where}: {first.found}{f" (and {more} more of this kind)" if more else ""}: {first.kind.advice}'
        )


def quote(text: Union[str, bytes]) -> str:
    """Returns text of a file in quotes, without control characters and short enough for a message."""
    if isinstance(text, bytes):
        text = text.decode(errors='replace')
    text = text.strip()
    return repr(text[:40] + '...' if len(text) > 40 else text)
