"""Checks that a model is not evaluated on identities that it was trained on.

The identity of a split is a dict of the ``protocol`` and its settings, the ``split``, the checksum of the lists, and
the ``members`` of the split, numbers of identities by dataset. It is the same for image files and for a pack.
"""

import logging
from functools import reduce
from typing import Any, Dict, Iterator, List, Mapping

from mmengine.logging import print_log
from torch.utils.data import Dataset

from ..errors import ConfigError, DataError, one_line
from .protocols import OLD_PROTOCOLS

_RULE = ('protocol', 'fold', 'num_folds', 'num_train_identities', 'seed')
# The keys in checkpoints that predate the identity of a split.
_OLD_RULE = ('protocol', 'fold')


def identify_split(dataset: Dataset) -> dict:
    """The identity of a dataset's split, with the members of all datasets in a wrapper; empty if it has none."""
    found = [getattr(part, 'split_identity', None) for part in nested_datasets(dataset)]
    return reduce(merge_splits, filter(None, found), {})


def nested_datasets(dataset: Dataset) -> Iterator[Dataset]:
    """A dataset and, if it is a wrapper such as ConcatDataset, all datasets in it."""
    yield dataset
    parts = getattr(dataset, 'datasets', None)
    # Another project's dataset may have anything of this name.
    parts = parts if isinstance(parts, (list, tuple)) else [getattr(dataset, 'dataset', None)]
    for part in parts:
        # mmengine's RepeatDataset and ClassBalancedDataset are no torch datasets.
        if isinstance(part, Dataset) or hasattr(part, 'full_init'):
            yield from nested_datasets(part)


def read_split(meta: Mapping[str, Any]) -> dict:
    """The identity of the split that a checkpoint was trained on, from its ``meta``.

    Raises:
        DataError: The ``meta`` is damaged.
    """
    if 'trained_on' in meta:
        try:
            return _rename(merge_splits(meta['trained_on'], {}))
        except (TypeError, AttributeError) as error:
            raise DataError(f"meta['trained_on'] of the checkpoint cannot be read ({one_line(error)})") from error
    old = meta.get('dataset_meta') or {}
    found = {key: old[key] for key in ('split', *_OLD_RULE) if key in old}
    return _rename(dict(found, lists=(old.get('checksums') or {}).get('annotations')))


def _rename(identity: dict) -> dict:
    """The identity of a split with the current name of its protocol."""
    old = identity.get('protocol')
    if old not in OLD_PROTOCOLS:
        return identity
    # The halves had the key exchanged instead of a fold.
    kept = {key: value for key, value in identity.items() if key != 'exchanged'}
    return dict(kept, protocol=OLD_PROTOCOLS[old], fold=int(identity.get('exchanged', False)))


def merge_splits(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict:
    """The identity of the first split, with the members of both."""
    names = {**_members(one), **_members(other)}
    members = {name: sorted({*_members(one).get(name, ()), *_members(other).get(name, ())}) for name in names}
    return {**other, **one, 'members': members}


def check_unseen(trained: Mapping[str, Any], found: Mapping[str, Any], own: Mapping[str, Any] = {}) -> None:
    """Rejects an evaluation on identities that a model was trained on.

    If both splits follow the same protocol with the same settings and lists, the evaluation is assumed to be
    intentional and only logs a warning.

    Args:
        trained: The identity of the checkpoint's training split.
        found: The identity of the evaluated split.
        own: The identity of this run's training split. Identities in it are not checked, since the config itself
            pairs the two splits.

    Raises:
        ConfigError: The model was trained on identities of the split, with another protocol, fold, seed or list.
    """
    same_lists = trained.get('lists') == found.get('lists') is not None
    shared = [
        f'{len(common)} of {len(held)} {name}'
        for name, held in _members(found).items()
        if (common := {*_members(trained).get(name, ())}.difference(_members(own).get(name, ())).intersection(held))
    ]
    if not shared and same_lists and 'members' not in trained and not own and _differ(trained, found, _OLD_RULE):
        shared = ['identities']
    if not shared:
        return
    line = f'the model was trained on {shared[0]} in {_describe(found)}: its training split was {_describe(trained)}'
    if not same_lists or _differ(trained, found, _RULE):
        raise ConfigError(f'{line}; evaluate it by the same protocol, fold, seed and lists, or train for this split')
    print_log(f'{line}.', 'current', logging.WARNING)


def check_resumable(trained: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Rejects resuming a run on another training split.

    Args:
        trained: The identity of the checkpoint's training split.
        own: The identity of this run's training split.

    Raises:
        ConfigError: Protocol, fold, seed or split differ, or the training split has additional identities.
    """
    if 'protocol' not in trained or 'protocol' not in own:
        return
    further = [
        name
        for name, held in _members(own).items()
        if 'members' in trained and not {*held} <= {*_members(trained).get(name, ())}
    ]
    if further or _differ(trained, own, ('split', *(_RULE if 'members' in trained else _OLD_RULE))):
        raise ConfigError(
            f'the checkpoint was trained on {_describe(trained)}, and this run would train on {_describe(own)}'
            f'{f" with other {further[0]}" if further else ""}: resume with the settings of its training, or train in '
            'another work directory'
        )


def _members(identity: Mapping[str, Any]) -> Dict[str, List[int]]:
    return identity.get('members', {})


def _differ(one: Mapping[str, Any], other: Mapping[str, Any], keys: tuple) -> bool:
    return any(one.get(key) != other.get(key) for key in keys)


def _describe(identity: Mapping[str, Any]) -> str:
    """Formats a split, such as ``split test of protocol kfold (fold 3, num_folds 5, seed 0)``."""
    rule = [f'{key} {identity[key]}' for key in _RULE[1:] if key in identity]
    return f'split {identity.get("split")} of protocol {identity.get("protocol")}' + (
        f' ({", ".join(rule)})' if rule else ''
    )
