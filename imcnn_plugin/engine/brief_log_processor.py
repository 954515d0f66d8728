import re
from typing import Tuple

from mmengine.runner import LogProcessor, Runner
from mmpretrain.registry import LOG_PROCESSORS


@LOG_PROCESSORS.register_module()
class BriefLogProcessor(LogProcessor):
    """Omits per-attribute accuracies from the line that is logged after an evaluation.

    The table and its files have them, and every visualization backend still gets them.
    """

    def get_log_after_epoch(self, runner: Runner, batch: int, mode: str, **kwargs) -> Tuple[dict, str]:
        tag, line = super().get_log_after_epoch(runner, batch, mode, **kwargs)
        return tag, re.sub(r' *attr/accuracy/\S+: \S+', '', line)
