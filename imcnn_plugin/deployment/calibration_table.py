from typing import Sequence, Tuple

import numpy as np

from ..evaluation import (
    CRITERIA,
    HEADINGS,
    calibration_errors,
    metric_difference,
    nan_mean,
    perfect_calibration_error,
    score_attributes,
    sigmoid,
)
from ..tables import aligned_lines, cell


def _format_calibration(
    classes: Sequence[str],
    criterion: str,
    before: Tuple[np.ndarray, np.ndarray],
    after: Tuple[np.ndarray, np.ndarray],
    logits: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
) -> str:
    """Formats a text table of attributes, followed by the gain in each criterion with its interval over identities.

    ``before`` and ``after`` are thresholds and temperature, ``(L, )`` each, before and after calibration. Logits
    ``(N, L)``, targets ``(N, L)`` and identities ``(N, )``, -1 for unknown, are those of the test split.
    """
    probabilities = [sigmoid(logits / temperature) for _, temperature in (before, after)]
    predictions = [p >= thresholds for p, (thresholds, _) in zip(probabilities, (before, after))]
    columns = [('threshold', '.3f', after[0])]
    for name in dict.fromkeys(('accuracy', criterion)):
        for word, p, (thresholds, _) in zip((name, 'after'), probabilities, (before, after)):
            columns.append((HEADINGS.get(word, word), '.2f', score_attributes(p, targets, thresholds)[name]))
    for i, (name, form) in enumerate((('ECE', '.2f'), ('NLL', '.4f'))):
        for word, p in zip((name, 'after'), probabilities):
            columns.append((word, form, calibration_errors(p, targets)[i]))
    rows = [('attribute', *(name for name, _, _ in columns))]
    rows += [(label, *(cell(v[i], form) for _, form, v in columns)) for i, label in enumerate(classes)]
    rows.append(('mean', '', *(cell(nan_mean(v), form) for _, form, v in columns[1:])))
    lines = aligned_lines(rows, rules=(1, len(rows) - 1))
    lines += [
        '-' * len(lines[0]),
        f'{len(targets)} images of {len(np.unique(identity[identity >= 0]))} identities; percent, except NLL.',
        'A perfectly calibrated model has an ECE of '
        f'{cell(perfect_calibration_error(probabilities[1], targets), ".2f")} here.',
    ]
    for name in CRITERIA:
        value, low, high = metric_difference(*predictions, targets, identity, name)
        verdict = 'gains' if low > 0 else 'loses' if high < 0 else 'not significant'
        interval = '' if np.isnan(low) else f', 95 % interval over identities {low:+.2f} to {high:+.2f}: {verdict}'
        lines.append(f'Mean {name.replace("_", " ")}: {cell(value, "+.2f")}{interval}')
    return '\n'.join(lines)
