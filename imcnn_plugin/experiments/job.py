import re
from dataclasses import dataclass
from pathlib import Path
from typing import List

from ..errors import ConfigError
from .variant import Variant


@dataclass(frozen=True)
class Job:
    """A variant with a seed, and the folder that it is trained in."""

    variant: Variant
    seed: int
    folder: Path

    def __str__(self) -> str:
        return f'{self.variant.name}, seed {self.seed}'

    @property
    def options(self) -> List[str]:
        """What the config is changed by; ``{seed}`` in an option stands for the seed."""
        options = [option.replace('{seed}', str(self.seed)) for option in self.variant.options]
        return [*options, f'randomness.seed={self.seed}']

    @property
    def has_checkpoint(self) -> bool:
        return Path(self.folder, 'last_checkpoint').is_file()

    @property
    def hash_file(self) -> Path:
        """Says which config the folder is of."""
        return Path(self.folder, 'config_hash.txt')

    def check_folder(self) -> None:
        """Checks that what is resumed, and reported as this run's, is this run.

        Raises:
            ConfigError: The work folder has checkpoints of another config.
        """
        note = self.hash_file
        if self.has_checkpoint and not (note.is_file() and note.read_text().strip() == self.variant.config_hash):
            raise ConfigError(
                f'{self.folder} has checkpoints of another config than {self.variant.name} has now: move it away, or '
                'give another --out'
            )


def folder_name(variant: Variant, seed: int) -> str:
    """The variant's name as a file name, with the seed."""
    name = re.sub('[^a-z0-9.]+', '_', variant.name.lower()).strip('_.') or 'variant'
    return f'{name}-seed{seed}'
