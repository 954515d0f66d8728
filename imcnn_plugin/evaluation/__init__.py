"""Metrics, calibration and confidence intervals as functions of arrays, mmengine's metric, and its report."""

from .attribute_report import AGREEMENTS, REPORT_FILE, TEST_FOLDER, AttributeReport, describe_split
from .attribute_scores import HEADINGS, PERCENTAGES, mean_or_none, nan_mean, score_attributes
from .calibration import (
    CRITERIA,
    Reliability,
    calibration_errors,
    fit_temperature,
    fit_thresholds,
    perfect_calibration_error,
    reliability,
    sigmoid,
)
from .face_verification import FacePairs, Verification, read_face_pairs, verify_faces
from .identity_agreement import STABLE_AGREEMENT, agreement_beyond_chance, sum_by_identity, within_identity_agreement
from .identity_pooling import fit_pooling, pool
from .paired_bootstrap import SubgroupGap, compare_subgroups, metric_difference, paired_interval, paired_intervals
from .per_attribute_accuracy import PerAttributeAccuracy
from .verification_table import verification_rows, verification_table
from .worst_errors import find_worst_errors

__all__ = [
    'AGREEMENTS', 'AttributeReport', 'CRITERIA', 'FacePairs', 'HEADINGS', 'PERCENTAGES',
    'PerAttributeAccuracy', 'REPORT_FILE', 'Reliability', 'STABLE_AGREEMENT', 'SubgroupGap', 'TEST_FOLDER',
    'Verification',
    'agreement_beyond_chance', 'calibration_errors', 'compare_subgroups', 'describe_split',
    'find_worst_errors', 'fit_pooling', 'fit_temperature', 'fit_thresholds', 'mean_or_none',
    'metric_difference', 'nan_mean', 'paired_interval', 'paired_intervals', 'perfect_calibration_error', 'pool',
    'read_face_pairs', 'reliability', 'score_attributes', 'sigmoid', 'sum_by_identity', 'verification_rows',
    'verification_table', 'verify_faces', 'within_identity_agreement'
]  # fmt: skip
