"""The variants of a sweep: named configs with options."""

import argparse
import hashlib
import json
import math
import re
import shlex
from dataclasses import dataclass
from typing import Iterator, List, Optional, Sequence, Tuple

from mmengine.config import Config, DictAction

from ..attributes import ATTRIBUTES
from ..engine.config import LOADERS, load_config
from ..errors import ConfigError

# Paths and settings that depend on the presence of a GPU do not change the experiment.
NOT_HASHED = {'work_dir', 'data_root', 'pin_memory', 'persistent_workers'}
# Nor do the new names of parts, nor CelebA's attributes as classes of a CSV file: sweeps of earlier versions go on.
EARLIER_NAMES = {'SyncAllBuffersHook': 'SyncBuffersHook'}


@dataclass(frozen=True)
class Variant:
    """A config with options and its name in the table."""

    name: str
    config: str
    options: Tuple[str, ...] = ()
    config_hash: str = ''


def parse_variant(text: str, common: Sequence[str] = (), folds: bool = False) -> Variant:
    """Parses a variant of the form ``NAME=CONFIG [KEY=VALUE ...]``, quoted as in a shell.

    Args:
        text: The variant.
        common: Options shared by all variants. The variant's own options override them.
        folds: Whether the runs are folds of a cross-validation.

    Raises:
        ConfigError: The text does not have this form, the config cannot be read with the options or has no test
            split, or ``folds`` is set and the config has no folds.
    """
    name, _, rest = text.partition('=')
    try:
        config, *options = shlex.split(rest)
    except ValueError as error:
        raise ConfigError(f"'{text}': expected NAME=CONFIG [KEY=VALUE ...]") from error
    options = (*common, *options)
    if not name.strip() or not all(re.match(r'[\w.]+=', option) for option in options):
        raise ConfigError(f"'{text}' with options {list(common)}: expected NAME=CONFIG [KEY=VALUE ...]")
    cfg = load_variant(config, options)
    if not cfg.get('test_dataloader'):
        raise ConfigError(f'{config} has no test_dataloader, so the runs of {name.strip()} would have no results')
    if folds:
        options = (*options, *_fold_options(config, cfg))
    return Variant(name.strip(), config, options, _hash_config(config, options))


def _fold_options(config: str, cfg: Config) -> List[str]:
    """Options that set the fold of each dataset that has one: at least one in each data loader."""
    found = []
    for name in filter(cfg.get, LOADERS):
        protocols = {
            path: dataset.get('protocol') for path, dataset in _datasets(f'{name}.dataset', cfg[name].dataset)
        }
        folded = [f'{path}.fold={{fold}}' for path, protocol in protocols.items() if protocol in ('kfold', 'halves')]
        if not folded:
            path, protocol = next(iter(protocols.items()))
            raise ConfigError(
                f"{config}: {path}.protocol is {protocol!r}, but --folds needs 'kfold', as in "
                "imcnn_celeba_kfold.py, or LFWA's 'halves'"
            )
        found += folded
    return found


def _datasets(path: str, dataset: dict) -> Iterator[Tuple[str, dict]]:
    """The dataset at a dotted path, or those inside a wrapper such as ConcatDataset, with their paths."""
    inside = {f'{path}.datasets.{i}': inner for i, inner in enumerate(dataset.get('datasets', ()))}
    if 'dataset' in dataset:
        inside[f'{path}.dataset'] = dataset['dataset']
    if not inside:
        yield path, dataset
    for inner in inside.items():
        yield from _datasets(*inner)


def _fill_option(option: str, seed: int, fold: Optional[int] = None) -> str:
    """An option of a variant with its ``{seed}`` and ``{fold}`` replaced."""
    return option.replace('{seed}', str(seed)).replace('{fold}', str(fold or 0))


def lambda_variants(
    values: Sequence[str], config: str, common: Sequence[str] = (), folds: bool = False
) -> List[Variant]:
    """One variant per weight of the identity loss. A weight of 0 removes the identity branch.

    Raises:
        ConfigError: A value is not a finite number of at least 0, or the config cannot be read with the options.
    """
    variants = []
    for value in values:
        try:
            weight = float(value)
        except ValueError as error:
            raise ConfigError(f"lambda '{value}' is not a number") from error
        if not 0 <= weight < math.inf:
            raise ConfigError(f'lambda {value} is the weight of a loss: give a finite number of at least 0')
        option = f'model.head.loss.id_weight={value}' if weight else 'model.head.id_head=None'
        variants.append(parse_variant(f'lambda {value}={shlex.quote(config)} {option}', common, folds))
    return variants


def load_variant(config: str, options: Sequence[str]) -> Config:
    """The config with its options.

    Raises:
        ConfigError: The config cannot be read with the options.
    """
    given = _parse_options(options)
    # Options must be valid with a seed in place of '{seed}', but the variant keeps '{seed}' and fits every run.
    tried = _parse_options([_fill_option(option, 0) for option in options])
    try:
        cfg = load_config(config, cfg_options=tried)
        cfg.merge_from_dict({key: value for key, value in given.items() if value != tried[key]})
        return cfg
    except Exception as error:
        # mmengine raises errors of many types for an unusable file or key.
        raise ConfigError(f'{config} cannot be read with options {list(options)}: {error}') from error


def _parse_options(options: Sequence[str]) -> dict:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options if options else {}


def _hash_config(config: str, options: Sequence[str]) -> str:
    """A hash of 16 hexadecimal digits that depends on the config and the options, but not on folders or seeds."""

    def kept(node):
        if isinstance(node, dict):
            left_out = NOT_HASHED
            if 'ann_file' in node and tuple(node.get('classes') or ()) == ATTRIBUTES:
                left_out = {*NOT_HASHED, 'classes'}
            return {str(key): kept(value) for key, value in node.items() if key not in left_out}
        if isinstance(node, str):
            return EARLIER_NAMES.get(node, node)
        return [kept(value) for value in node] if isinstance(node, (list, tuple)) else node

    values = kept(load_variant(config, options).to_dict())
    (values.get('randomness') or {}).pop('seed', None)
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def choose_baseline(name: Optional[str], variants: Sequence[Variant]) -> Optional[str]:
    """The name of the baseline, by default the first variant. Without variants, any name is accepted.

    Raises:
        ConfigError: There is no variant of that name, or two have the same.
    """
    names = [variant.name for variant in variants]
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ConfigError(f'several variants are named {repeated[0]!r}: give them different names')
    if name and names and name not in names:
        raise ConfigError(f"the baseline '{name}' is not one of the variants {names}")
    return name or next(iter(names), None)
