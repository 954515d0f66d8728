"""The paper's Table 3: as printed, what is wrong in it, and beside measured accuracies."""

from .comparison import ERRORS_TITLE, Column, Comparison, compare
from .comparison_formats import FORMATS
from .measured_results import MeasuredResults, read_measured_results
from .published import DATASETS, PUBLISHED, WINNER, PublishedTable, find_errors, read_published

__all__ = [
    'Column', 'Comparison', 'DATASETS', 'ERRORS_TITLE', 'FORMATS', 'MeasuredResults', 'PUBLISHED',
    'PublishedTable', 'WINNER', 'compare', 'find_errors', 'read_measured_results', 'read_published'
]  # fmt: skip
