from typing import Dict, Optional

import mmcv
import mmengine
import mmpretrain
import numpy
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..evaluation.per_attribute_accuracy import PerAttributeAccuracy
from ..evaluation.report import format_table, write_report

VERSIONS = {module.__name__: module.__version__ for module in (torch, mmengine, mmcv, mmpretrain, numpy)}


@HOOKS.register_module()
class AttributeReportHook(Hook):
    """After an evaluation, writes ``per_attribute.json`` and ``.csv`` into the work folder.

    The JSON file also says what the figures were made with: config, seed, versions, and the data set's checksums.
    After a test and after the last validation of a training the table is printed as well.
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
                made_with = dict(
                    checksums=metric.dataset_meta.get('checksums'),
                    seed=runner.seed,
                    versions=VERSIONS,
                    config=runner.cfg.to_dict(),
                )
                write_report({**metric.report, **made_with}, runner.work_dir)
                if show:
                    runner.logger.info('\n' + format_table(metric.report))
