"""The report of a run: a self-contained HTML page made from its work directory."""

from .page import write_report
from .split_predictions import SplitPredictions, predict_test_split
from .work_dir import WorkDir, read_work_dir

__all__ = ['SplitPredictions', 'WorkDir', 'predict_test_split', 'read_work_dir', 'write_report']
