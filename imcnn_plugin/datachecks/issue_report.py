"""Puts the problems of a set down: as text for people, as JSON for programs."""

import json
import os
from typing import Dict, List

from ..datasets.issues import Kind, Problem
from .check_celeba import Checkup


def by_kind(problems: List[Problem]) -> Dict[Kind, List[Problem]]:
    """Problems of each kind, errors first."""
    kinds: Dict[Kind, List[Problem]] = {}
    for problem in sorted(problems, key=lambda problem: not problem.kind.is_error):
        kinds.setdefault(problem.kind, []).append(problem)
    return kinds


def severity(kind: Kind) -> str:
    return 'error' if kind.is_error else 'warning'


def counted(number: int, noun: str) -> str:
    return f'{number:,} {noun}{"" if number == 1 else "s"}'


def printable(text: str) -> str:
    """Text for a terminal, whatever a file is called."""
    return ''.join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def count(checkup: Checkup, is_error: bool) -> int:
    return sum(problem.kind.is_error == is_error for problem in checkup.problems)


def text_report(checkup: Checkup, limit: int) -> str:
    """A paragraph for each kind with up to ``limit`` of its problems (0: all), and what it means for a training.

    Paths are those in the folder that was checked. Kinds with the same advice follow each other, and it is given once.
    """
    parts = ', '.join(f'{number:,} {name}' for name, number in checkup.parts.items())
    lines = [
        f'{checkup.root}: {counted(checkup.images, "labelled image")}'
        + (f' of {counted(checkup.identities, "person")} ({parts})' if checkup.parts else '')
    ]
    advice = None
    for kind, problems in by_kind(checkup.problems).items():
        lines += ['', f'{severity(kind)}: {kind.name}: {len(problems):,}']
        if kind.advice != advice:
            advice = kind.advice
            lines.append(f'  ({advice})')
        shown = problems[: limit or None]
        lines += [printable(f'  {os.path.relpath(problem.where, checkup.root)}: {problem.found}') for problem in shown]
        if len(problems) > len(shown):
            lines.append(f'  ... and {len(problems) - len(shown):,} more (--lines 0 prints all)')
    errors, warnings = (
        counted(count(checkup, is_error), noun) for is_error, noun in ((True, 'error'), (False, 'warning'))
    )
    if checkup.not_checked:
        lines += ['', f'not checked: {", ".join(checkup.not_checked)}']
    return '\n'.join([*lines, '', f'{errors}, {warnings}: {meaning(checkup)}'])


def meaning(checkup: Checkup) -> str:
    if count(checkup, True):
        return 'a training would stop or be wrong; correct the errors, and check again'
    if checkup.problems:
        return 'none of it stops a training, unless a warning says so; look, and decide'
    return 'all that was checked is as it should be'


def json_report(checkup: Checkup) -> str:
    """All of it, with whole paths."""
    return json.dumps(
        dict(
            root=checkup.root,
            images=checkup.images,
            identities=checkup.identities,
            parts=checkup.parts,
            errors=count(checkup, True),
            warnings=count(checkup, False),
            not_checked=checkup.not_checked,
            kinds=[
                dict(kind=kind.name, severity=severity(kind), count=len(problems), advice=kind.advice)
                for kind, problems in by_kind(checkup.problems).items()
            ],
            problems=[
                dict(
                    kind=problem.kind.name,
                    severity=severity(problem.kind),
                    file=problem.path,
                    line=problem.line,
                    found=problem.found,
                )
                for problem in checkup.problems
            ],
        ),
        indent=1,
    )
