"""Applies the config's optimizer settings and schedule to a resumed run.

mmengine restores them from the checkpoint, so that a new learning rate, weight decay, number of epochs or milestone in
the config of a resumed run would have no effect.
"""

import warnings
from typing import Any, Dict, List, Tuple

from mmengine.optim import OptimWrapper
from mmengine.runner import Runner

from ..framework import SCHEDULER_PROGRESS
from .resumable_train_loop import ResumableTrainLoop

# The settings of each parameter group, without its parameters, and of each scheduler.
_Settings = Tuple[List[dict], List[dict]]


def _read_settings(runner: Runner) -> _Settings:
    """The settings that a runner has built from its config; none for several optimizers."""
    if not isinstance(runner.optim_wrapper, OptimWrapper):
        return [], []
    groups = [{key: value for key, value in group.items() if key != 'params'} for group in _groups(runner)]
    return groups, [scheduler.state_dict() for scheduler in runner.param_schedulers or []]


def _restore_settings(runner: Runner, settings: _Settings) -> None:
    """Restores settings that a resumed checkpoint changed, and logs them. The schedule is run to the current step."""
    groups, states = settings
    schedulers = (runner.param_schedulers or []) if states else []
    # A schedule with a monitor sets the learning rate from the metrics of all earlier validations.
    replayed = not any('monitor' in state for state in states)
    scheduled = {key for each in schedulers for key in (each.param_name, f'initial_{each.param_name}')}
    changes: Dict[str, Tuple[Any, Any]] = {}
    for group, own in zip(_groups(runner) if groups else [], groups):
        # amsgrad needs a different optimizer state.
        for key in own.keys() - scheduled - {'amsgrad'}:
            if isinstance(own[key], (int, float, tuple)) and own[key] != group.get(key):
                changes[key] = group.get(key), own[key]
                group[key] = own[key]
    differing: Dict[str, Tuple[Any, Any]] = {}
    for scheduler, own in zip(schedulers, states):
        found = scheduler.state_dict()
        for key in {**found, **own}.keys() - SCHEDULER_PROGRESS:
            if found.get(key) != own.get(key):
                differing[f'{type(scheduler).__name__}.{key}'] = found.get(key), own.get(key)
    if differing and replayed:
        before = _groups(runner)[0]['lr']
        _replay(runner, settings, scheduled)
        changes |= differing
        changes['lr'] = before, _groups(runner)[0]['lr']
    elif differing:
        runner.logger.warning(f'The checkpoint keeps its schedule, not that of the config: {_describe(differing)}.')
    if changes:
        runner.logger.warning(
            f'The config changes settings of the checkpoint, and takes effect from here: {_describe(changes)}.'
        )


def _replay(runner: Runner, settings: _Settings, scheduled: set) -> None:
    """Runs the config's schedule from its start to the current step."""
    groups, states = settings
    for group, own in zip(_groups(runner), groups):
        group.update({key: own[key] for key in scheduled & own.keys()})
    for scheduler, state in zip(runner.param_schedulers, states):
        scheduler.load_state_dict(state)
    loop, steps = runner.train_loop, len(runner.train_dataloader)
    within = loop.steps_done() if isinstance(loop, ResumableTrainLoop) else loop.iter - loop.epoch * steps
    with warnings.catch_warnings():
        # torch's schedulers warn if the optimizer has not stepped before.
        warnings.simplefilter('ignore', UserWarning)
        for step in range(1, loop.epoch * steps + within + 1):
            for scheduler in runner.param_schedulers:
                if not scheduler.by_epoch or step % steps == 0:
                    scheduler.step()


def _groups(runner: Runner) -> List[dict]:
    return runner.optim_wrapper.param_groups


def _describe(changes: Dict[str, Tuple[Any, Any]]) -> str:
    return ', '.join(f'{key} {before} -> {after}' for key, (before, after) in sorted(changes.items()))
