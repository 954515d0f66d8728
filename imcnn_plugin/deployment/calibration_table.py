"""What a calibration does on a test part, as text."""

from typing import Sequence, Tuple

import numpy as np

from ..evaluation.attribute_scores import attribute_scores
from ..evaluation.calibration import CRITERIA, calibration_errors, error_by_chance, sigmoid
from ..evaluation.metric_difference import gain
from ..evaluation.report import HEADINGS
from ..tables import aligned_lines


def format_calibration(
    classes: Sequence[str],
    criterion: str,
    before: Tuple[np.ndarray, np.ndarray],
    after: Tuple[np.ndarray, np.ndarray],
    logits: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
) -> str:
    """A table of attributes, then the gain in each criterion with its interval over people.

    Args:
        classes: The L names.
        criterion: What the thresholds were fitted for.
        before: Thresholds and temperature, ``(L, )`` each, without the calibration.
        after: Those with it.
        logits: Of the test part, ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown.
        identity: ``(N, )``, -1 for unknown.
    """
    probabilities = [sigmoid(logits / temperature) for _, temperature in (before, after)]
    predictions = [p >= thresholds for p, (thresholds, _) in zip(probabilities, (before, after))]
    columns = [('threshold', '.3f', after[0])]
    for name in dict.fromkeys(('accuracy', criterion)):
        for word, p, (thresholds, _) in zip((name, 'after'), probabilities, (before, after)):
            columns.append((HEADINGS.get(word, word), '.2f', attribute_scores(p, targets, thresholds)[name]))
    for i, (name, form) in enumerate((('ECE', '.2f'), ('NLL', '.4f'))):
        for word, p in zip((name, 'after'), probabilities):
            columns.append((word, form, calibration_errors(p, targets)[i]))
    rows = [('attribute', *(name for name, _, _ in columns))]
    rows += [(label, *(show(v[i], form) for _, form, v in columns)) for i, label in enumerate(classes)]
    rows.append(('mean', '', *(show(v[~np.isnan(v)].mean(), form) for _, form, v in columns[1:])))
    lines = aligned_lines(rows)
    rule = '-' * len(lines[0])
    lines[1:1], lines[-1:-1] = [rule], [rule]
    lines += [
        rule,
        f'{len(targets)} images of {len(np.unique(identity[identity >= 0]))} people; percent, but for NLL.',
        f'Right probabilities have an ECE of {error_by_chance(probabilities[1], targets):.2f} on so many images.',
    ]
    for name in CRITERIA:
        value, low, high = gain(*predictions, targets, identity, name)
        verdict = 'gains' if low > 0 else 'loses' if high < 0 else 'no more than chance'
        interval = '' if np.isnan(low) else f', 95 % interval over people {low:+.2f} to {high:+.2f}: {verdict}'
        lines.append(f'Mean {name.replace("_", " ")}: {value:+.2f}{interval}')
    return '\n'.join(lines)


def show(value: float, form: str) -> str:
    return '-' if np.isnan(value) else format(value, form)
