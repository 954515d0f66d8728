from collections import Counter, defaultdict

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datachecks import check_celeba
from imcnn_plugin.datachecks.label_checks import (
    CONSISTENT_ATTRIBUTE,
    _find_constant_attributes,
    _find_inconsistent_identities,
    _find_label_conflicts,
    _find_shared_identities,
)
from imcnn_plugin.datasets.celeba_lists import AttributeList, NumberList, read_annotations
from imcnn_plugin.evaluation.identity_agreement import agreement_beyond_chance
from imcnn_plugin.label_conflicts import count_label_conflicts


def attribute_list(labels, classes=ATTRIBUTES):
    names = np.array([b'%03d.jpg' % i for i in range(len(labels))])
    return AttributeList('list', classes, names, np.array(labels, np.int8), np.arange(len(labels)) + 3)


def test_identities_with_conflicting_male_labels():
    male = [1, 1, 0, 0, 0, 1, -1, 1, 0, 1]
    identity = np.array([5, 5, 5, 2, 2, 2, 2, -1, -1, 9])
    attributes = attribute_list([[0, label] for label in male], ('Young', 'Male'))
    issues = _find_inconsistent_identities(attributes, identity)
    assert [(issue.line, issue.found) for issue in issues] == [
        (5, "identity 5 is Male on 2 images, but not Male on '002.jpg'"),
        (8, "identity 2 is not Male on 2 images, but Male on '005.jpg'"),
    ]


def test_identities_in_several_splits():
    attributes = attribute_list([[0] * 40] * 8)
    # The list of splits has another order: image i is in its row 7 - i.
    partition = NumberList('partition', attributes.names[::-1], np.array([0, 2, 0, 0, 1, 0, 0, 2]), np.arange(1, 9))
    rows = np.array([7, 6, 5, 4, 3, 2, 1, -1])
    identity = np.array([4, 4, 4, 1, 1, 1, -1, 4])
    issues = _find_shared_identities(attributes, identity, partition, rows)
    assert [(issue.line, issue.found) for issue in issues] == [
        (5, "identity 1 has 2 in train ('004.jpg'), 1 in val ('003.jpg')"),
        (8, "identity 4 has 2 in train ('001.jpg'), 1 in test ('000.jpg')"),
    ]


def test_constant_attributes():
    attributes = attribute_list([[1, 0, 1, -1], [1, 0, -1, -1], [1, 1, 1, -1]], tuple('abcd'))
    assert [issue.found for issue in _find_constant_attributes(attributes)] == [
        'a is 1 on all 3 images',
        'c is 1 on all 3 images',
    ]


def test_label_conflicts_are_those_that_an_evaluation_counts():
    labels = (np.random.default_rng(0).random((300, 40)) < 0.2).astype(np.int8)
    labels[::7, 3:30:5] = -1
    issues = Counter(issue.kind.name.split(': ')[1] for issue in _find_label_conflicts(attribute_list(labels)))
    *counted, _ = count_label_conflicts(labels == 1, labels, ATTRIBUTES)
    assert issues == {row.name: row.labelled for row in counted}


def test_official_lists(celeba_annotations):
    result = check_celeba(celeba_annotations, lists_only=True)
    assert (result.images, result.identities) == (202599, 10177)
    assert result.splits == dict(train=162770, val=19867, test=19962)
    assert not any(issue.kind.is_error for issue in result.issues)
    found = Counter(issue.kind.name for issue in result.issues)

    annotations = read_annotations(celeba_annotations)
    male = defaultdict(set)
    for identity, label in zip(
        annotations.identity.tolist(), annotations.labels[:, ATTRIBUTES.index('Male')].tolist()
    ):
        male[identity].add(label)
    *counted, _ = count_label_conflicts(annotations.labels == 1, annotations.labels, ATTRIBUTES)
    expected = {f'conflicting labels: {row.name}': row.labelled for row in counted}
    expected['identities labelled both Male and not Male'] = sum(len(labels) == 2 for labels in male.values())
    assert found == {name: number for name, number in expected.items() if number}

    agreement, _ = agreement_beyond_chance(annotations.labels, annotations.identity)
    assert [name for name, value in zip(ATTRIBUTES, agreement) if value > 0.9] == [CONSISTENT_ATTRIBUTE]
    assert agreement[ATTRIBUTES.index('Male')] == pytest.approx(0.98, abs=0.01)
