import copy
import itertools
import json
import warnings

import numpy as np
import pytest
import torch
from mmpretrain.registry import METRICS
from sklearn import metrics as oracle

from imcnn_plugin.errors import ConfigError
from imcnn_plugin.evaluation.attribute_scores import agreement, attribute_scores
from imcnn_plugin.evaluation.per_attribute_accuracy import interleave
from imcnn_plugin.evaluation.report import differences, format_table, write_report


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    # Rounded, so that there are ties, at the threshold too.
    scores = rng.random((200, 5)).round(1)
    targets = (rng.random((200, 5)) < [0.1, 0.3, 0.5, 0.7, 0.9]).astype(np.int8)
    targets[rng.random((200, 5)) < 0.2] = -1
    return scores, targets


def test_agrees_with_scikit_learn(predictions):
    scores, targets = predictions
    values = attribute_scores(scores, targets)
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


def test_what_is_undefined_is_nan_and_left_out_of_means():
    targets = np.array([[0, 1, -1], [0, 0, -1]])
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        values = attribute_scores(np.array([[0.1, 0.9, 0.5], [0.2, 0.1, 0.5]]), targets)
    assert values['accuracy'][:2].tolist() == [100, 100] and np.isnan(values['accuracy'][2])
    assert np.isnan(values['recall'][0]) and np.isnan(values['average_precision'][0])
    assert values['num_labelled'].tolist() == [2, 2, 0]


def test_agreement_is_that_of_pairs_of_images_of_one_person():
    rng = np.random.default_rng(1)
    on, counted, identity = rng.random((40, 3)) < 0.6, rng.random((40, 3)) < 0.8, rng.integers(-1, 9, 40)
    for i in range(3):
        shares = []
        for person in range(9):
            rows = np.flatnonzero((identity == person) & counted[:, i])
            pairs = [on[a, i] == on[b, i] for a, b in itertools.combinations(rows, 2)]
            shares += [np.mean(pairs)] if pairs else []
        assert agreement(on, counted, identity)[i] == pytest.approx(100 * np.mean(shares))
    assert np.isnan(agreement(on, counted, np.arange(40))).all()


@pytest.mark.parametrize('size', [1, 4, 5, 6, 7])
def test_interleave_undoes_the_dealing_to_processes(size):
    rows = np.arange(size)
    padded = np.append(rows, rows)[: -(-size // 3) * 3] if size >= 3 else np.resize(rows, 3)
    assert interleave([padded[rank::3] for rank in range(3)], size).tolist() == rows.tolist()


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
        # A second evaluation starts anew.
        result = evaluate(metric, scores, targets, stacked)
    accuracy = attribute_scores(scores, targets)['accuracy']
    assert result['attr/mean_accuracy'] == pytest.approx(accuracy.mean())
    assert [result[f'attr/accuracy/{name}'] for name in 'abcde'] == pytest.approx(accuracy.tolist())
    report = metric.report
    assert report['groups']['vowels'] == pytest.approx(accuracy[[0, 4]].mean())
    assert (report['num_images'], report['num_identities'], report['split']) == (200, 50, 'test')
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    persons = report['by_identity']
    right = (targets >= 0) & ((scores >= 0.5) == (targets == 1))
    assert persons['identity'] == list(range(50))
    for label, name in enumerate('abcde'):
        assert persons['correct'][name] == [right[4 * i : 4 * i + 4, label].sum() for i in range(50)]
        assert sum(persons['labelled'][name]) == (targets[:, label] >= 0).sum()


@pytest.mark.parametrize('stacked', [False, True])
def test_the_models_thresholds_take_the_place_of_the_metrics(predictions, stacked):
    scores, targets = predictions
    thresholds = np.array([0.1, 0.3, 0.5, 0.7, 0.9], np.float32)
    metric = build_metric(thr=0.4)
    evaluate(metric, scores, targets, stacked, thresholds=torch.from_numpy(thresholds))
    predicted = scores.astype(np.float32) >= thresholds
    for i, values in enumerate(metric.report['attributes'].values()):
        known = targets[:, i] >= 0
        assert values['f1'] == pytest.approx(100 * oracle.f1_score(targets[known, i], predicted[known, i]))
        assert values['threshold'] == pytest.approx(thresholds[i])
    right = (targets >= 0) & (predicted == (targets == 1))
    assert np.sum([*metric.report['by_identity']['correct'].values()]) == right.sum()
    assert 'Thresholds: 0.1 to 0.9, one for each attribute' in format_table(metric.report)
    # The next model has none.
    evaluate(metric, scores, targets, stacked)
    assert {values['threshold'] for values in metric.report['attributes'].values()} == {0.4}
    assert format_table(metric.report).endswith('Thresholds: 0.4')


def test_refuses_a_model_of_other_attributes(predictions):
    scores, targets = predictions
    with pytest.raises(ConfigError, match='predicts 4 attributes, the data set has 5'):
        evaluate(build_metric(), scores[:, :4], targets[:, :4], True)


def test_refuses_groups_of_other_attributes(predictions):
    metric = build_metric(groups=[dict(name='vowels', labels=['a', 'i'])])
    with pytest.raises(ConfigError, match=r"name labels that the data set has not: \['i'\]"):
        evaluate(metric, *predictions, True)


def test_files_and_table_show_the_report(predictions, tmp_path):
    scores, targets = predictions
    targets[:, 2] = 0
    metric = build_metric(groups=[dict(name='vowels', labels=['a', 'e'])])
    evaluate(metric, scores, targets, True)
    write_report(metric.report, tmp_path)
    assert json.loads((tmp_path / 'per_attribute.json').read_text()) == metric.report
    rows = [line.split(',') for line in (tmp_path / 'per_attribute.csv').read_text().splitlines()]
    assert [row[0] for row in rows] == ['attribute', *'abcde', 'mean']
    assert float(rows[1][1]) == metric.report['attributes']['a']['accuracy']
    assert [row[rows[0].index('threshold')] for row in rows[1:]] == ['0.5'] * 5 + ['']
    # Undefined for an attribute that no image has.
    assert rows[3][rows[0].index('recall')] == ''
    assert sorted(path.name for path in tmp_path.iterdir()) == ['per_attribute.csv', 'per_attribute.json']
    table = format_table(metric.report)
    assert f'{metric.report["attributes"]["a"]["accuracy"]:.2f}' in table
    assert len({len(line) for line in table.splitlines()[:8]}) == 1
    assert '200 images of 50 identities' in table


def test_differences_name_what_is_not_as_expected(predictions):
    metric = build_metric()
    evaluate(metric, *predictions, True)
    expected = copy.deepcopy(metric.report) | dict(checksums=dict(images='1', annotations='2'))
    found = metric.report | dict(checksums=dict(images='1', annotations='2'))
    assert differences(found, expected, 0) == []
    expected['attributes']['b']['accuracy'] += 0.2
    assert differences(found, expected, 0.25) == []
    [line] = differences(found, expected, 0.1)
    assert line.startswith('b is ')
    expected['attributes']['b']['accuracy'] = None
    expected['mean_accuracy'] -= 1
    expected['checksums']['images'] = '3'
    lines = differences(found, expected, 0.1)
    assert [line.split(' is ')[0] for line in lines] == ['the mean', 'b', 'the checksum of the images']
    del expected['attributes']['b']
    assert differences(found, expected, 0.1) == ['the attributes are not those that were expected']
