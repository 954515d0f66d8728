import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle

from imcnn_plugin.evaluation import score_attributes


def test_agrees_with_scikit_learn(predictions):
    scores, targets = predictions
    values = score_attributes(scores, targets)
    for i in range(5):
        known = targets[:, i] >= 0
        truth, score = targets[known, i], scores[known, i]
        predicted = score >= 0.5
        expected = dict(
            num_labelled=known.sum(),
            accuracy=oracle.accuracy_score(truth, predicted),
            balanced_accuracy=oracle.balanced_accuracy_score(truth, predicted),
            precision=oracle.precision_score(truth, predicted),
            recall=oracle.recall_score(truth, predicted),
            f1=oracle.f1_score(truth, predicted),
            average_precision=oracle.average_precision_score(truth, score),
            prevalence=truth.mean(),
            majority_baseline=max(truth.mean(), 1 - truth.mean()),
        )
        assert set(values) == set(expected)
        for name, value in expected.items():
            assert values[name][i] == pytest.approx(value * (1 if name == 'num_labelled' else 100)), name


def test_undefined_values_are_nan():
    targets = np.array([[0, 1, -1], [0, 0, -1]])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        values = score_attributes(np.array([[0.1, 0.9, 0.5], [0.2, 0.1, 0.5]]), targets)
    assert values['accuracy'][:2].tolist() == [100, 100] and np.isnan(values['accuracy'][2])
    assert np.isnan(values['recall'][0]) and np.isnan(values['average_precision'][0])
    assert values['num_labelled'].tolist() == [2, 2, 0]
