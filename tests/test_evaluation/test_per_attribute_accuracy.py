import json

import numpy as np
import pytest
import torch
from mmpretrain.registry import METRICS
from sklearn import metrics as oracle

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.evaluation import score_attributes


def build_metric(**kwargs):
    metric = METRICS.build(dict(type='mmpretrain.PerAttributeAccuracy', **kwargs))
    metric.dataset_meta = dict(classes=list('abcde'), protocol='official', split='test')
    return metric


def evaluate(metric, scores, targets, stacked, **shared):
    for rows in np.array_split(np.arange(len(scores)), 7):
        fields = dict(pred_score=torch.tensor(scores[rows]), gt_score=torch.tensor(targets[rows]))
        identity = torch.tensor(rows // 4)
        samples = (
            [dict(fields, identity=identity, **shared)]
            if stacked
            else [
                dict({key: value[i] for key, value in fields.items()}, identity=int(identity[i]), **shared)
                for i in range(len(rows))
            ]
        )
        metric.process({}, samples)
    return metric.evaluate(len(scores))


@pytest.mark.parametrize('stacked', [False, True])
def test_metrics_and_report(predictions, stacked):
    scores, targets = predictions
    metric = build_metric(groups=[dict(name='vowels', labels=['a', 'e']), dict(name='rest', labels=['b', 'c', 'd'])])
    for _ in range(2):
        # A second evaluation starts from scratch.
        result = evaluate(metric, scores, targets, stacked)
    accuracy = score_attributes(scores, targets)['accuracy']
    assert result['attr/mean_accuracy'] == pytest.approx(accuracy.mean())
    assert [result[f'attr/accuracy/{name}'] for name in 'abcde'] == pytest.approx(accuracy.tolist())
    report = metric.report
    assert report.groups['vowels'] == pytest.approx(accuracy[[0, 4]].mean())
    assert (report.num_images, report.num_identities, report.split) == (200, 50, 'test')
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()
    counts = report.by_identity
    right = (targets >= 0) & ((scores >= 0.5) == (targets == 1))
    assert counts['identity'] == list(range(50))
    for label, name in enumerate('abcde'):
        assert counts['correct'][name] == [right[4 * i : 4 * i + 4, label].sum() for i in range(50)]
        assert sum(counts['labelled'][name]) == (targets[:, label] >= 0).sum()


@pytest.mark.parametrize('stacked', [False, True])
def test_the_models_thresholds_override_the_metrics(predictions, stacked):
    scores, targets = predictions
    thresholds = np.array([0.1, 0.3, 0.5, 0.7, 0.9], np.float32)
    metric = build_metric(thr=0.4)
    evaluate(metric, scores, targets, stacked, thresholds=torch.from_numpy(thresholds))
    predicted = scores.astype(np.float32) >= thresholds
    for i, values in enumerate(metric.report.attributes.values()):
        known = targets[:, i] >= 0
        assert values['f1'] == pytest.approx(100 * oracle.f1_score(targets[known, i], predicted[known, i]))
        assert values['threshold'] == pytest.approx(thresholds[i])
    right = (targets >= 0) & (predicted == (targets == 1))
    assert np.sum([*metric.report.by_identity['correct'].values()]) == right.sum()
    assert 'Thresholds: 0.1 to 0.9, one per attribute' in metric.report.table()
    # The next model has none.
    evaluate(metric, scores, targets, stacked)
    assert {values['threshold'] for values in metric.report.attributes.values()} == {0.4}
    assert metric.report.table().endswith('Thresholds: 0.4')


def test_a_model_of_other_attributes_is_rejected(predictions):
    scores, targets = predictions
    with pytest.raises(ConfigError, match='predicts 4 attributes, the dataset has 5'):
        evaluate(build_metric(), scores[:, :4], targets[:, :4], True)


def test_groups_of_other_attributes_are_rejected(predictions):
    metric = build_metric(groups=[dict(name='vowels', labels=['a', 'i'])])
    with pytest.raises(ConfigError, match=r"have labels missing from the dataset: \['i'\]"):
        evaluate(metric, *predictions, True)
