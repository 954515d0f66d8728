import logging
from pathlib import Path
from typing import Optional, Union

from mmengine.logging import print_log

from ..errors import DataError
from .safe_load import load_file

# A link to the best checkpoint of a work directory. The file itself has the epoch in its name.
BEST = 'best.pth'


def find_latest(work_dir: Union[str, Path]) -> Optional[str]:
    """The newest checkpoint of a work directory that a run can resume; None if it has no checkpoint.

    The checkpoint named in ``last_checkpoint`` is tried first, then the others from newest to oldest. Truncated,
    damaged and published files are skipped with a warning.

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
        # If the work directory was moved or copied, the file still names its old location. Without checkpoints here,
        # they are in CheckpointHook's out_dir.
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
    """The best checkpoint of a work directory, or the latest if no best one was saved; None if it has no checkpoint.

    Raises:
        DataError: There are checkpoints, but none can be used.
    """
    link, best = Path(work_dir, BEST), [*Path(work_dir).glob('best_*.pth')]
    # With several metrics in save_best, the link names the file that training tested. Older runs have no link, and a
    # copy of the folder may have a file.
    if link.is_file() and (link.is_symlink() or len(best) != 1):
        return str(Path(work_dir, link.readlink()) if link.is_symlink() else link)
    return str(max(best, key=lambda path: path.stat().st_mtime)) if best else find_latest(work_dir)


def checkpoint_file(source: Union[str, Path]) -> Path:
    """The checkpoint file for a path: the file itself or, for a work directory, that of :func:`find_best`.

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
    """The reason why a run cannot resume a checkpoint file; None if it can."""
    if not path.is_file():
        return 'does not exist'
    try:
        content = load_file(path, map_location='cpu', mmap=True)
    except DataError as error:
        return str(error).removeprefix(f'{path} ')
    # Every run saves its message hub; published files have none.
    return None if isinstance(content, dict) and 'message_hub' in content else 'is not the checkpoint of a run'
