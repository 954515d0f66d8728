from .check_celeba import CheckResult, check_celeba
from .issue_report import json_report, text_report

__all__ = ['CheckResult', 'check_celeba', 'json_report', 'text_report']
