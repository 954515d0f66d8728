"""The paper's Table 3: as printed, its errors, and a comparison with measured accuracies."""

from .comparison import (
    DIFFERENCE,
    ERRORS_TITLE,
    EXPECTATIONS_TITLE,
    MEASURED,
    PRINTED,
    Column,
    Comparison,
    Table,
    compare,
)
from .comparison_formats import FORMATS
from .expectations import list_expectations
from .measured_results import MeasuredResults, read_measured_results, tested_dataset
from .published import DATASETS, PUBLISHED, WINNER, PublishedTable, find_errors, find_misprints, read_published

__all__ = [
    'Column', 'Comparison', 'DATASETS', 'DIFFERENCE', 'ERRORS_TITLE', 'EXPECTATIONS_TITLE', 'FORMATS', 'MEASURED',
    'MeasuredResults', 'PRINTED', 'PUBLISHED', 'PublishedTable', 'Table', 'WINNER', 'compare', 'find_errors',
    'find_misprints', 'list_expectations', 'read_measured_results', 'read_published', 'tested_dataset'
]  # fmt: skip
