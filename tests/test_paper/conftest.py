import json

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.evaluation import PERCENTAGES


@pytest.fixture
def write_report():
    """A function that writes a ``per_attribute.json`` with percentages ``(40, )``, in which NaN becomes null."""

    def write(path, accuracy, baseline, label_agreement=None, **others):
        attributes = {}
        for name, *values in zip(ATTRIBUTES, accuracy, baseline):
            values = [None if np.isnan(value) else float(value) for value in values]
            columns = dict(dict.fromkeys(PERCENTAGES, 50.0), label_agreement=label_agreement)
            attributes[name] = dict(columns, num_labelled=100, accuracy=values[0], majority_baseline=values[1])
        report = dict(protocol='official', split='test', num_images=100, num_identities=30, attributes=attributes)
        report |= dict(mean_accuracy=50.0, means=dict.fromkeys(PERCENTAGES, 50.0), groups={})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report | others))
        return path

    return write


@pytest.fixture
def numbers():
    """Accuracies of three seeds and a majority baseline."""
    rng = np.random.default_rng(0)
    return rng.uniform(60, 99, (3, 40)), rng.uniform(50, 60, 40)


@pytest.fixture
def seeds(numbers, write_report, tmp_path):
    accuracy, baseline = numbers
    return [write_report(tmp_path / f'seed{i}' / 'per_attribute.json', accuracy[i], baseline) for i in range(3)]
