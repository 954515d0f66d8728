"""Sweeps: variants trained with several seeds, their results file, and its table with confidence intervals."""

from .job import Job
from .results_file import group_rows, read_rows
from .results_table import Interval, SweepTable
from .sweep import Sweep
from .variant import Variant, choose_baseline, lambda_variants, load_variant, parse_variant

__all__ = [
    'Interval', 'Job', 'Sweep', 'SweepTable', 'Variant', 'choose_baseline', 'group_rows', 'lambda_variants',
    'load_variant', 'parse_variant', 'read_rows'
]  # fmt: skip
