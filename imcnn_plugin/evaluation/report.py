"""The table of an evaluation: on the console, as JSON and as CSV."""

import csv
import io
import json
import re
from pathlib import Path
from typing import List

from ..files import write_text
from .attribute_scores import AGREEMENTS, PERCENTAGES

HEADINGS = dict(
    accuracy='acc',
    balanced_accuracy='bal. acc',
    precision='prec',
    recall='recall',
    f1='F1',
    average_precision='AP',
    prevalence='prevalence',
    majority_baseline='majority',
)


def format_table(report: dict) -> str:
    """A table of ``PerAttributeAccuracy.report`` for a console: an attribute a line, then means and groups."""
    width = max(map(len, (*report['attributes'], *report['groups'], 'attribute (%)')))

    def line(name, cells, labelled):
        return f'{name:<{width}}' + ''.join(f'{cell:>11}' for cell in cells) + f'{labelled:>10}'

    def numbers(values):
        return ['-' if values[key] is None else f'{values[key]:.2f}' for key in PERCENTAGES]

    head = line('attribute (%)', HEADINGS.values(), 'labelled')
    rule = '-' * len(head)
    lines = [head, rule]
    lines += [line(name, numbers(values), values['num_labelled']) for name, values in report['attributes'].items()]
    lines += [rule, line('mean', numbers(report['means']), '')]
    if report['groups']:
        lines += [rule]
        lines += [
            line(name, ['-' if value is None else f'{value:.2f}'], '').rstrip()
            for name, value in report['groups'].items()
        ]
    part = describe_part(report) or 'part'
    lines += [
        rule,
        f'{part}: {report["num_images"]} images of {report["num_identities"]} identities; mean '
        f'accuracy {report["mean_accuracy"]:.2f} %, majority label {report["means"]["majority_baseline"]:.2f} %',
    ]
    if report['means']['agreement'] is not None:
        predicted, labelled = (report['means'][key] for key in AGREEMENTS)
        lines.append(f'Two images of one person agree: predictions {predicted:.2f} %, labels {labelled:.2f} %')
    thresholds = [values['threshold'] for values in report['attributes'].values()]
    low, high = min(thresholds), max(thresholds)
    lines.append(f'Thresholds: {low:g}' + (f' to {high:g}, one for each attribute' if low < high else ''))
    return '\n'.join(lines)


def describe_part(report: dict) -> str:
    """The part of the data that was tested, in words."""
    return ', '.join(f'{key} {report[key]}' for key in ('protocol', 'split', 'fold') if key in report)


def write_report(report: dict, folder: str) -> None:
    """Writes ``per_attribute.json`` and ``per_attribute.csv``, each at once or not at all."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator='\n')
    columns = (*PERCENTAGES, *AGREEMENTS)
    writer.writerow(['attribute', *columns, 'num_labelled', 'threshold'])
    for name, values in report['attributes'].items():
        writer.writerow([name, *(values[key] for key in columns), values['num_labelled'], values['threshold']])
    writer.writerow(['mean', *(report['means'][key] for key in columns), '', ''])
    write_text(Path(folder, 'per_attribute.json'), compact_json(report))
    write_text(Path(folder, 'per_attribute.csv'), table.getvalue())


def compact_json(report: dict) -> str:
    """Indented JSON with one line for each list, of which some are long."""
    lists = {}

    def set_aside(node):
        if isinstance(node, dict):
            return {key: set_aside(value) for key, value in node.items()}
        if isinstance(node, (list, tuple)):
            key = f'@{len(lists)}@'
            lists[f'"{key}"'] = json.dumps(node)
            return key
        return node

    text = json.dumps(set_aside(report), indent=1)
    return re.sub('"@[0-9]+@"', lambda match: lists[match.group()], text) + '\n'


def differences(report: dict, expected: dict, tolerance: float) -> List[str]:
    """What an evaluation gave otherwise than expected, a line each.

    Args:
        report: The report of an evaluation.
        expected: Another one, such as a published ``per_attribute.json``.
        tolerance: By how many points of percent the mean and each attribute's accuracy may differ.
    """
    if set(report['attributes']) != set(expected['attributes']):
        return ['the attributes are not those that were expected']
    pairs = {'the mean': (report['mean_accuracy'], expected['mean_accuracy'])}
    for name, values in report['attributes'].items():
        pairs[name] = values['accuracy'], expected['attributes'][name]['accuracy']
    lines = [
        f'{name} is {found}, expected {wanted}'
        for name, (found, wanted) in pairs.items()
        if (found is None) != (wanted is None) or (found is not None and abs(found - wanted) > tolerance)
    ]
    for key, wanted in (expected.get('checksums') or {}).items():
        if (report.get('checksums') or {}).get(key) != wanted:
            lines.append(f'the checksum of the {key} is another one: this is not the data that was expected')
    return lines
