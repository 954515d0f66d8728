import re
from dataclasses import replace
from pathlib import Path
from typing import Dict, Optional

import mmcv
import mmengine
import mmpretrain
import numpy
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from ..evaluation import REPORT_FILE, PerAttributeAccuracy

# The framework versions, for reports and published files.
VERSIONS = {module.__name__: module.__version__ for module in (torch, mmengine, mmcv, mmpretrain, numpy)}


@HOOKS.register_module()
class AttributeReportHook(Hook):
    """Writes ``per_attribute.json`` and ``.csv`` to the work directory after each evaluation.

    The JSON file also records config, seed, versions and the dataset's checksums. The table is also logged after a
    test and, unless a test follows, after the last validation of a run. If the evaluator has several
    ``PerAttributeAccuracy``, the files of the later ones end with their prefixes: ``per_attribute_<prefix>.json``.
    """

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        # In a validation without training, reading runner.epoch would build the training loop.
        show = 'max_iters' not in runner.message_hub.runtime_info
        if not show:
            # Iteration-based loops do not count epochs.
            number, end = (runner.epoch, runner.max_epochs) if runner.epoch else (runner.iter, runner.max_iters)
            show = number >= end and not getattr(runner, 'tests_at_the_end', False)
        self._report(runner, runner.val_evaluator, show=show)

    def after_test_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        self._report(runner, runner.test_evaluator, show=True)

    @staticmethod
    def _report(runner: Runner, evaluator, show: bool) -> None:
        path = Path(REPORT_FILE)
        for i, metric in enumerate(metric for metric in evaluator.metrics if isinstance(metric, PerAttributeAccuracy)):
            # Only the main process has a report.
            if metric.report:
                report = replace(metric.report, seed=runner.seed, versions=VERSIONS, config=runner.cfg.to_dict())
                prefix = re.sub('[^a-zA-Z0-9.-]+', '_', str(metric.prefix))
                report.save(runner.work_dir, path.with_stem(f'{path.stem}_{prefix}').name if i else path.name)
                if show:
                    runner.logger.info('\n' + report.table())
