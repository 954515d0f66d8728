import re
from dataclasses import dataclass
from pathlib import Path
from typing import List

from ..errors import ConfigError
from .variant import Variant


@dataclass(frozen=True)
class Job:
    """A run of a sweep: a variant, a seed and a work directory."""

    variant: Variant
    seed: int
    folder: Path

    def __str__(self) -> str:
        return f'{self.variant.name}, seed {self.seed}'

    @property
    def options(self) -> List[str]:
        """Values for ``--cfg-options``, with ``{seed}`` replaced by the seed."""
        options = [option.replace('{seed}', str(self.seed)) for option in self.variant.options]
        return [*options, f'randomness.seed={self.seed}']

    @property
    def has_checkpoint(self) -> bool:
        """Whether the work directory has a checkpoint to resume from."""
        return Path(self.folder, 'last_checkpoint').is_file()

    @property
    def hash_file(self) -> Path:
        """The file with the hash of the config that the work directory was started with."""
        return Path(self.folder, 'config_hash.txt')

    def check_folder(self) -> None:
        """Checks that the work directory belongs to this run, so that it can be resumed and reported.

        Raises:
            ConfigError: It has checkpoints of another config.
        """
        path = self.hash_file
        if self.has_checkpoint and not (path.is_file() and path.read_text().strip() == self.variant.config_hash):
            raise ConfigError(
                f'{self.folder} has checkpoints of another config than that of {self.variant.name}: move it away, or '
                'set another --out'
            )


def _folder_name(variant: Variant, seed: int) -> str:
    """The variant's name as a file name, with the seed."""
    name = re.sub('[^a-z0-9.]+', '_', variant.name.lower()).strip('_.') or 'variant'
    return f'{name}-seed{seed}'
