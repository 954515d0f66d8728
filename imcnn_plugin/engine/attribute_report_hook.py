from typing import Dict, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..evaluation.per_attribute_accuracy import PerAttributeAccuracy
from ..evaluation.report import format_table, write_report


@HOOKS.register_module()
class AttributeReportHook(Hook):
    """After an evaluation, writes ``per_attribute.json`` and ``.csv`` into the work folder.

    The table is also printed, after a test and after the last validation of a training.
    """

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        self._report(runner, runner.val_evaluator, show=runner.epoch >= runner.max_epochs)

    def after_test_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        self._report(runner, runner.test_evaluator, show=True)

    @staticmethod
    def _report(runner: Runner, evaluator, show: bool) -> None:
        for metric in evaluator.metrics:
            # Only the main process has a report.
            if isinstance(metric, PerAttributeAccuracy) and metric.report:
                write_report(metric.report, runner.work_dir)
                if show:
                    runner.logger.info('\n' + format_table(metric.report))
