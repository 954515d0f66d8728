import re
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence

from ..errors import ConfigError
from .variant import Variant, _fill_option


@dataclass(frozen=True)
class Job:
    """One run of a sweep: a variant, a seed, a work directory and, in cross-validation, the test fold."""

    variant: Variant
    seed: int
    folder: Path
    fold: Optional[int] = None

    def __str__(self) -> str:
        return f'{self.variant.name}, seed {self.seed}' + ('' if self.fold is None else f', fold {self.fold}')

    def has_row(self, rows: Sequence[dict]) -> bool:
        """Whether the rows of a results file include this run."""
        key = (self.variant.name, self.variant.config_hash, self.seed)
        return any(
            key == (row['name'], row['config_hash'], row['seed']) and self.fold in (None, row.get('fold'))
            for row in rows
        )

    @property
    def options(self) -> List[str]:
        """Values for ``--cfg-options``, with ``{seed}`` and ``{fold}`` replaced."""
        options = [_fill_option(option, self.seed, self.fold) for option in self.variant.options]
        return [*options, f'randomness.seed={self.seed}']

    @property
    def has_checkpoint(self) -> bool:
        """Whether the work directory has a checkpoint to resume from."""
        return Path(self.folder, 'last_checkpoint').is_file()

    @property
    def hash_file(self) -> Path:
        """The file with the hash of the config that the run was started with."""
        return Path(self.folder, 'config_hash.txt')

    def check_folder(self) -> None:
        """Checks that the work directory belongs to this run, so that it can be resumed and reported.

        Raises:
            ConfigError: The work directory has checkpoints of another config.
        """
        path = self.hash_file
        if self.has_checkpoint and not (path.is_file() and path.read_text().strip() == self.variant.config_hash):
            raise ConfigError(
                f'{self.folder} has checkpoints of another config than that of {self.variant.name}: move it away, or '
                'set another --out'
            )


def _folder_name(variant: Variant, seed: int, fold: Optional[int] = None) -> str:
    """The variant's name as a file name, with the seed and the fold."""
    name = re.sub(r'(?:[^\w.]|_)+', '_', variant.name.lower()).strip('_.') or 'variant'
    return f'{name}-seed{seed}' + ('' if fold is None else f'-fold{fold}')
