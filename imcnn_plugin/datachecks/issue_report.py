"""Formats the issues of a dataset as text and as JSON."""

import json
import os
from typing import Dict, List

from ..datasets.issues import Issue, IssueKind
from .check_celeba import CheckResult


def text_report(result: CheckResult, limit: int) -> str:
    """Lists each kind of issue with its advice and up to ``limit`` issues (0: all), errors first.

    Paths are relative to the folder that was checked. Consecutive kinds with the same advice show it once.
    """
    lines = [f'{result.root}: {_count(result.images, "labelled image")}']
    if result.splits:
        splits = ', '.join(f'{number:,} {name}' for name, number in result.splits.items())
        lines[0] += f' of {_count(result.identities, "identity", "identities")} ({splits})'
    advice = None
    for kind, issues in _group_by_kind(result.issues).items():
        lines += ['', f'{_severity(kind)}: {kind.name}: {len(issues):,}']
        if kind.advice != advice:
            advice = kind.advice
            lines.append(f'  ({advice})')
        shown = issues[: limit or None]
        lines += [_printable(f'  {os.path.relpath(issue.where, result.root)}: {issue.found}') for issue in shown]
        if len(issues) > len(shown):
            lines.append(f'  ... and {len(issues) - len(shown):,} more (--lines 0 prints all)')
    if result.not_checked:
        lines += ['', f'not checked: {", ".join(result.not_checked)}']
    if result.count(is_error=True):
        meaning = 'training would stop or be wrong; correct the errors and check again'
    else:
        meaning = 'the data can be used, but look at the warnings' if result.issues else 'no issues found'
    errors, warnings = _count(result.count(is_error=True), 'error'), _count(result.count(is_error=False), 'warning')
    return '\n'.join([*lines, '', f'{errors}, {warnings}: {meaning}'])


def json_report(result: CheckResult) -> str:
    """Lists all issues. Unlike in the text report, paths include the folder that was checked."""
    kinds = [
        dict(kind=kind.name, severity=_severity(kind), count=len(issues), advice=kind.advice)
        for kind, issues in _group_by_kind(result.issues).items()
    ]
    problems = [
        dict(kind=issue.kind.name, severity=_severity(issue.kind), file=issue.path, line=issue.line, found=issue.found)
        for issue in result.issues
    ]
    report = dict(
        root=result.root,
        images=result.images,
        identities=result.identities,
        parts=result.splits,
        errors=result.count(is_error=True),
        warnings=result.count(is_error=False),
        not_checked=result.not_checked,
        kinds=kinds,
        problems=problems,
    )
    return json.dumps(report, indent=1)


def _group_by_kind(issues: List[Issue]) -> Dict[IssueKind, List[Issue]]:
    """Groups issues by kind, errors first."""
    kinds: Dict[IssueKind, List[Issue]] = {}
    for issue in sorted(issues, key=lambda issue: not issue.kind.is_error):
        kinds.setdefault(issue.kind, []).append(issue)
    return kinds


def _severity(kind: IssueKind) -> str:
    return 'error' if kind.is_error else 'warning'


def _count(number: int, singular: str, plural: str = '') -> str:
    return f'{number:,} {singular if number == 1 else plural or singular + "s"}'


def _printable(text: str) -> str:
    """Escapes the characters of file names that a terminal cannot show."""
    return ''.join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
