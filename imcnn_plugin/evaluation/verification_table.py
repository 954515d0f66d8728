from typing import Dict, List

import numpy as np

from .face_verification import Verification, _standard_error


def verification_rows(results: Dict[str, Dict[str, Verification]]) -> List[dict]:
    """Rows for JSON from results by network and features: dicts of ``network``, ``features``, ``accuracy``, ``auc``.

    ``accuracy`` lists the accuracy of each fold in percent.
    """
    return [
        dict(network=network, features=features, accuracy=result.accuracy.round(4).tolist(), auc=round(result.auc, 4))
        for network, found in results.items()
        for features, result in found.items()
    ]


def verification_table(rows: List[dict]) -> List[List[str]]:
    """A table of :func:`verification_rows` with one line per network, headings first.

    Accuracies are means over folds, with their standard errors if there are several.
    """
    kinds = list(dict.fromkeys(row['features'] for row in rows))
    table = [['network', *(heading for kind in kinds for heading in (f'{kind} (%)', 'AUC'))]]
    for network in dict.fromkeys(row['network'] for row in rows):
        found = {row['features']: row for row in rows if row['network'] == network}
        cells = [network]
        for kind in kinds:
            if row := found.get(kind):
                accuracy = np.array(row['accuracy'])
                error = f' +- {_standard_error(accuracy):.2f}' if len(accuracy) > 1 else ''
                cells += [f'{accuracy.mean():.2f}{error}', f'{row["auc"]:.3f}']
            else:
                cells += ['-', '-']
        table.append(cells)
    return table
