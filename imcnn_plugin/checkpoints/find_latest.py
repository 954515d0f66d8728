"""Which checkpoint of a work folder a run goes on from."""

import logging
import zipfile
from pathlib import Path
from typing import Optional, Union

from mmengine.logging import print_log

from ..errors import DataError


def newest_checkpoint(work_dir: Union[str, Path]) -> Optional[str]:
    """The newest whole checkpoint of a work folder; None where there is none at all.

    The one that ``last_checkpoint`` names comes first, then the others from the newest to the oldest. One that is torn
    is passed over with a warning.

    Raises:
        DataError: There are checkpoints, but none is whole.
    """
    work_dir = Path(work_dir)
    found = sorted(
        (path for path in work_dir.glob('*.pth') if not path.name.startswith('best_')),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    pointer = work_dir / 'last_checkpoint'
    if pointer.is_file() and (named := pointer.read_text().strip()):
        # A work folder that was moved still names its old place.
        place = Path(named) if Path(named).exists() else work_dir / Path(named).name
        found = [place, *(path for path in found if path.resolve() != place.resolve())]
    for path in found:
        if reason := why_broken(path):
            print_log(f'{path} {reason}: passed over for the one before.', 'current', logging.WARNING)
        else:
            return str(path)
    if found:
        raise DataError(f'{work_dir}: none of the {len(found)} checkpoints can be read; remove them to start anew')
    return None


def why_broken(path: Path) -> Optional[str]:
    """What is wrong with a checkpoint's file; None where it is whole."""
    if not path.is_file():
        return 'is not there'
    if not path.stat().st_size:
        return 'is empty'
    try:
        with zipfile.ZipFile(path) as file:
            bad = file.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        return f'is torn ({error})'
    return f'is damaged in {bad}' if bad else None
