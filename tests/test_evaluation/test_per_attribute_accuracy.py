import json

import numpy as np
import pytest
import torch
from mmpretrain.registry import METRICS
from sklearn import metrics as oracle

from imcnn_plugin.errors import ConfigError, DataError
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


@pytest.mark.parametrize('meta', [None, {}, dict(classes=('face',))])
def test_the_labels_may_have_names_of_their_own(predictions, meta):
    """In a project of detection the dataset's classes are kinds of boxes, and some datasets have none."""
    own = build_metric(groups=[dict(name='vowels', labels=['a', 'e'])])
    other = build_metric(groups=own.groups, classes=own.dataset_meta['classes'])
    other.dataset_meta = meta
    assert other.metric_names() == own.metric_names()
    assert evaluate(other, *predictions, True) == evaluate(own, *predictions, True)
    assert other.report.groups == own.report.groups
    other.classes = None
    with pytest.raises(
        ConfigError, match='missing from the dataset' if meta and len(meta) else "has no 'classes': .* or set"
    ):
        other.metric_names()


@pytest.mark.parametrize('group', ['Nose', dict(name='vowels'), ['a']])
def test_groups_of_another_form_are_rejected(group):
    with pytest.raises(ConfigError, match='groups of PerAttributeAccuracy: .* is no dict'):
        build_metric(groups=[group])


def test_groups_of_other_attributes_are_rejected(predictions):
    metric = build_metric(groups=[dict(name='vowels', labels=['a', 'i'])])
    with pytest.raises(ConfigError, match=r"have labels missing from the dataset: \['i'\]"):
        evaluate(metric, *predictions, True)


def images_with_rows(targets):
    """Samples of images with one to three predictions each, and the rows ``(M, 5)`` of all of them."""
    ends = np.cumsum(np.arange(len(targets)) % 3 + 1)
    ends = ends[ends <= len(targets)]
    return np.split(np.arange(ends[-1]), ends[:-1])


@pytest.mark.parametrize('batch', [1, 4, 1000])
def test_predictions_of_several_boxes_in_an_image_all_count(predictions, batch):
    scores, targets = predictions
    images = images_with_rows(targets)
    metric = build_metric()
    for start in range(0, len(images), batch):
        metric.process(
            {},
            [
                dict(pred_score=torch.tensor(scores[rows]), gt_score=torch.tensor(targets[rows]), identity=7)
                for rows in images[start : start + batch]
            ],
        )
    result = metric.evaluate(len(images))
    used = np.concatenate(images)
    expected = score_attributes(scores[used], targets[used])['accuracy']
    assert [result[f'attr/accuracy/{name}'] for name in 'abcde'] == pytest.approx(expected.tolist())
    assert (metric.report.num_images, metric.report.num_identities) == (len(images), 1)


def test_one_of_three_boxes_is_right():
    metric = build_metric()
    targets = torch.ones(3, 5)
    scores = targets * torch.tensor([[0.9], [0.1], [0.2]])
    metric.process({}, [dict(pred_score=scores, gt_score=targets)])
    assert metric.evaluate(1)['attr/mean_accuracy'] == pytest.approx(100 / 3)


@pytest.mark.parametrize('shapes', [((3, 5), (5,)), ((5,), (3, 5)), ((3, 5), (2, 5)), ((5,), (4,)), ((1, 2, 5),) * 2])
def test_predictions_of_another_shape_than_the_labels_are_rejected(shapes):
    scores, targets = map(torch.ones, shapes)
    with pytest.raises(ConfigError, match='pred_score is .* and the labels are .*: both must be'):
        build_metric().process({}, [dict(pred_score=scores, gt_score=targets)])


def test_predictions_that_are_neither_of_samples_nor_of_images_are_rejected(predictions):
    with pytest.raises(ConfigError, match='7 samples with 200 predictions are not those of 50 images'):
        metric = build_metric()
        scores, targets = predictions
        for rows in np.array_split(np.arange(200), 7):
            metric.process({}, [dict(pred_score=torch.tensor(scores[rows]), gt_score=torch.tensor(targets[rows]))])
        metric.evaluate(50)


def test_indices_of_labels_count_like_zeros_and_ones(predictions):
    scores, targets = predictions[0], np.maximum(predictions[1], 0)
    metric = build_metric()
    metric.process(
        {},
        [dict(pred_score=torch.tensor(s), gt_label=torch.tensor(np.flatnonzero(t))) for s, t in zip(scores, targets)],
    )
    found = metric.evaluate(len(scores))
    assert found == evaluate(build_metric(), scores, targets, True) and found['attr/mean_accuracy'] > 0
    with pytest.raises(DataError, match=r'gt_label is \[5\], expected indices of the 5 labels'):
        metric.process({}, [dict(pred_score=torch.tensor(scores[0]), gt_label=torch.tensor([5]))])
    with pytest.raises(ConfigError, match="no 'gt_score'"):
        metric.process({}, [dict(pred_score=torch.tensor(scores[0]))])


@pytest.mark.parametrize(
    'options', [dict(collect_device='gpu'), dict(collect_device='cpu'), dict(collect_dir='parts')]
)
def test_takes_the_options_of_mmengines_metrics(predictions, options):
    metric = build_metric(prefix='mine', **options)
    assert metric.collect_device == options.get('collect_device', 'cpu') and metric.collect_dir == options.get(
        'collect_dir'
    )
    assert 'mine/mean_accuracy' in evaluate(metric, *predictions, True)
