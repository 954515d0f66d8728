"""What a sweep trains: configs with options, under the names of the table's rows."""

import argparse
import hashlib
import json
import re
import shlex
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from mmengine.config import Config, DictAction

from ..engine.config import load_config
from ..errors import ConfigError

# Where a run and its data lie, and what a GPU switches on by itself, make no other experiment.
NOT_HASHED = {'work_dir', 'data_root', 'pin_memory', 'persistent_workers'}


@dataclass(frozen=True)
class Variant:
    """A config with options, under the name of its row in the table."""

    name: str
    config: str
    options: Tuple[str, ...] = ()
    config_hash: str = ''


def parse_variant(text: str, common: Sequence[str] = ()) -> Variant:
    """A variant from ``NAME=CONFIG [KEY=VALUE ...]``, quoted as in a shell, with options before its own.

    Raises:
        ConfigError: It is not of this form, or the config cannot be read with the options.
    """
    name, _, rest = text.partition('=')
    try:
        config, *options = shlex.split(rest)
    except ValueError as error:
        raise ConfigError(f"'{text}': expected NAME=CONFIG [KEY=VALUE ...]") from error
    options = (*common, *options)
    if not name.strip() or not all(re.match(r'[\w.]+=', option) for option in options):
        raise ConfigError(f"'{text}' with options {list(common)}: expected NAME=CONFIG [KEY=VALUE ...]")
    return Variant(name.strip(), config, options, hash_config(config, options))


def lambda_variants(values: Sequence[str], config: str, common: Sequence[str] = ()) -> List[Variant]:
    """A variant for each weight of the identity loss; at 0 there is no identity branch."""
    variants = []
    for value in values:
        try:
            option = f'model.head.loss.id_weight={value}' if float(value) else 'model.head.id_head=None'
        except ValueError as error:
            raise ConfigError(f"lambda '{value}' is not a number") from error
        variants.append(parse_variant(f'lambda {value}={shlex.quote(config)} {option}', common))
    return variants


def load_variant(config: str, options: Sequence[str]) -> Config:
    """The config with its options.

    Raises:
        ConfigError: The config cannot be read with the options.
    """
    given = parse_options(options)
    # Where a run puts its seed in, the config must take a number, but the variant is the same whatever the seed.
    tried = parse_options([option.replace('{seed}', '0') for option in options])
    try:
        cfg = load_config(config, cfg_options=tried)
        cfg.merge_from_dict({key: value for key, value in given.items() if value != tried[key]})
        return cfg
    except Exception as error:
        # mmengine has no error of its own for a file or a key that it cannot use.
        raise ConfigError(f'{config} cannot be read with options {list(options)}: {error}') from error


def parse_options(options: Sequence[str]) -> dict:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options if options else {}


def hash_config(config: str, options: Sequence[str]) -> str:
    """16 hexadecimal digits for what is trained: another config or option gives others, other folders or seeds do not.

    Raises:
        ConfigError: The config cannot be read with the options.
    """

    def kept(node):
        if isinstance(node, dict):
            return {str(key): kept(value) for key, value in node.items() if key not in NOT_HASHED}
        return [kept(value) for value in node] if isinstance(node, (list, tuple)) else node

    values = kept(load_variant(config, options).to_dict())
    (values.get('randomness') or {}).pop('seed', None)
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def choose_baseline(name: Optional[str], variants: Sequence[Variant]) -> Optional[str]:
    """What the variants are compared with, by default the first of them; whatever is asked for where there are none.

    Raises:
        ConfigError: It is none of the variants.
    """
    names = [variant.name for variant in variants]
    if name and names and name not in names:
        raise ConfigError(f"the baseline '{name}' is none of the variants {names}")
    return name or next(iter(names), None)
