"""Checks before the first step that an evaluation reports the metrics that a config names."""

from typing import Any, Iterator, Tuple

from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.runner import Runner, ValLoop

from ..errors import ConfigError
from ..evaluation import PerAttributeAccuracy


def _check_groups(evaluator: Any) -> None:
    """Raises ConfigError if the groups of a metric contain labels missing from its dataset."""
    for metric in getattr(evaluator, 'metrics', ()):
        if isinstance(metric, PerAttributeAccuracy):
            metric.metric_names()


def _check_metric_names(runner: Runner) -> None:
    """Checks ``save_best`` and the ``monitor`` of early stopping and of schedules.

    Raises:
        ConfigError: No validation metric reports a name. The message lists the choices.
    """
    # Other loops and evaluators may report anything.
    if type(runner.val_loop) is not ValLoop or type(runner.val_evaluator) is not Evaluator:
        return
    metrics = runner.val_evaluator.metrics
    for key, name in _used_names(runner):
        if not any(_may_report(metric, name) for metric in metrics):
            choices = [
                repr(choice)
                for metric in metrics
                for choice in (
                    metric.metric_names() if type(metric) is PerAttributeAccuracy else [f'{metric.prefix}/...']
                )
            ]
            raise ConfigError(
                f'{key} is {name!r}, which the validation does not report: write one of {", ".join(choices)}'
            )


def _used_names(runner: Runner) -> Iterator[Tuple[str, str]]:
    """The config keys that name a metric, each with that name."""
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            names = [] if hook.save_best is None else hook.key_indicators
            yield from (('save_best', name) for name in names if name != 'auto')
        elif isinstance(hook, EarlyStoppingHook):
            yield 'monitor of EarlyStoppingHook', hook.monitor
    schedulers = runner.param_schedulers or []
    for group in schedulers.values() if isinstance(schedulers, dict) else [schedulers]:
        for scheduler in group:
            if getattr(scheduler, 'need_val_args', False):
                yield f'monitor of {type(scheduler).__name__}', scheduler.monitor


def _may_report(metric: Any, name: str) -> bool:
    if type(metric) is PerAttributeAccuracy:
        return name in metric.metric_names()
    if getattr(type(metric), 'evaluate', None) is not BaseMetric.evaluate or not metric.prefix:
        return True
    return name.startswith(f'{metric.prefix}/')
