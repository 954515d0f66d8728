import logging
from pathlib import Path
from typing import Optional, Union

from mmengine.logging import print_log

from ..errors import DataError
from .safe_load import load_file

# A link to the best checkpoint of a work directory, whose own name changes.
BEST = 'best.pth'


def find_latest(work_dir: Union[str, Path]) -> Optional[str]:
    """The newest checkpoint of a work directory that a run can resume; None if it has no checkpoint.

    The one that ``last_checkpoint`` names is tried first, then the others from newest to oldest. Truncated or damaged
    files, and published ones, are skipped with a warning.

    Raises:
        DataError: There are checkpoints, but none can be resumed.
    """
    work_dir = Path(work_dir)
    found = sorted(
        (path for path in work_dir.glob('*.pth') if not path.name.startswith(('best_', BEST))),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file() and (named := pointer.read_text().strip()):
        # A work directory that was moved or copied still names its old location. CheckpointHook's out_dir is another.
        place = work_dir / Path(named).name if found else Path(named)
        found = [place, *(path for path in found if path.resolve() != place.resolve())]
    for path in found:
        if reason := _find_damage(path):
            print_log(f'{path} {reason}: skipped, trying the previous one.', 'current', logging.WARNING)
        else:
            return str(path)
    if found:
        raise DataError(f'{work_dir}: none of the {len(found)} checkpoints can be resumed; remove them to restart')
    return None


def find_best(work_dir: Union[str, Path]) -> Optional[str]:
    """The best checkpoint of a work directory or, without one, the latest; None if it has none.

    Raises:
        DataError: There are checkpoints, but none can be used.
    """
    best = [*Path(work_dir).glob('best_*.pth')] or [path for path in [Path(work_dir, BEST)] if path.is_file()]
    return str(max(best, key=lambda path: path.stat().st_mtime)) if best else find_latest(work_dir)


def checkpoint_file(source: Union[str, Path]) -> Path:
    """The file of a checkpoint that is given by itself or by the work directory of its run: :func:`find_best`.

    Raises:
        DataError: The work directory has no checkpoint.
    """
    if not Path(source).is_dir():
        return Path(source)
    found = find_best(source)
    if not found:
        raise DataError(f'{source} has no checkpoint: name one, or the work directory of a run that saved some')
    return Path(found)


def _find_damage(path: Path) -> Optional[str]:
    """What is wrong with a checkpoint file; None if a run can resume it."""
    if not path.is_file():
        return 'does not exist'
    try:
        content = load_file(path, map_location='cpu', mmap=True)
    except DataError as error:
        return str(error).removeprefix(f'{path} ')
    # Every run writes one, and no published file has it.
    return None if isinstance(content, dict) and 'message_hub' in content else 'is not the checkpoint of a run'
