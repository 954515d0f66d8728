from collections import Counter, defaultdict

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datachecks.check_celeba import check_celeba
from imcnn_plugin.datachecks.label_checks import (
    LASTING,
    constant_attributes,
    contradicting_persons,
    impossible_combinations,
    shared_persons,
)
from imcnn_plugin.datasets.celeba_lists import AttributeList, NumberList, read_annotations
from imcnn_plugin.evaluation.attribute_scores import agreement_beyond_chance
from imcnn_plugin.label_conflicts import count_contradictions


def attribute_list(labels, classes=ATTRIBUTES):
    names = np.array([b'%03d.jpg' % i for i in range(len(labels))])
    return AttributeList('list', classes, names, np.array(labels, np.int8), np.arange(len(labels)) + 3)


def test_persons_with_male_both_ways():
    male = [1, 1, 0, 0, 0, 1, -1, 1, 0, 1]
    identity = np.array([5, 5, 5, 2, 2, 2, 2, -1, -1, 9])
    attributes = attribute_list([[0, label] for label in male], ('Young', 'Male'))
    problems = contradicting_persons(attributes, identity)
    assert [(problem.line, problem.found) for problem in problems] == [
        (5, "identity 5 is Male on 2 images, but not Male on '002.jpg'"),
        (8, "identity 2 is not Male on 2 images, but Male on '005.jpg'"),
    ]


def test_persons_in_several_parts():
    attributes = attribute_list([[0] * 40] * 8)
    # The list of parts has other rows: image i is in its row 7 - i.
    parts = NumberList('parts', attributes.names[::-1], np.array([0, 2, 0, 0, 1, 0, 0, 2]), np.arange(1, 9))
    rows = np.array([7, 6, 5, 4, 3, 2, 1, -1])
    identity = np.array([4, 4, 4, 1, 1, 1, -1, 4])
    problems = shared_persons(attributes, identity, parts, rows)
    assert [(problem.line, problem.found) for problem in problems] == [
        (5, "identity 1 has 2 in train ('004.jpg'), 1 in val ('003.jpg')"),
        (8, "identity 4 has 2 in train ('001.jpg'), 1 in test ('000.jpg')"),
    ]


def test_constant_attributes():
    attributes = attribute_list([[1, 0, 1, -1], [1, 0, -1, -1], [1, 1, 1, -1]], tuple('abcd'))
    assert [problem.found for problem in constant_attributes(attributes)] == [
        'a is 1 on all 3 images',
        'c is 1 on all 3 images',
    ]


def test_images_with_a_combination_are_those_that_an_evaluation_counts():
    labels = (np.random.default_rng(0).random((300, 40)) < 0.2).astype(np.int8)
    labels[::7, 3:30:5] = -1
    problems = Counter(problem.kind.name.split(': ')[1] for problem in impossible_combinations(attribute_list(labels)))
    *counted, _ = count_contradictions(labels == 1, labels, ATTRIBUTES)
    assert problems == {row.name: row.labelled for row in counted}


def test_official_lists(celeba_annotations):
    checkup = check_celeba(celeba_annotations, lists_only=True)
    assert (checkup.images, checkup.identities) == (202599, 10177)
    assert checkup.parts == dict(train=162770, val=19867, test=19962)
    assert not any(problem.kind.is_error for problem in checkup.problems)
    found = Counter(problem.kind.name for problem in checkup.problems)

    annotations = read_annotations(celeba_annotations)
    male = defaultdict(set)
    for person, label in zip(annotations.identity.tolist(), annotations.labels[:, ATTRIBUTES.index('Male')].tolist()):
        male[person].add(label)
    *counted, _ = count_contradictions(annotations.labels == 1, annotations.labels, ATTRIBUTES)
    expected = {f'labels that exclude each other: {row.name}': row.labelled for row in counted}
    expected['persons who are Male on some images and not on others'] = sum(
        len(labels) == 2 for labels in male.values()
    )
    assert found == {name: number for name, number in expected.items() if number}

    agreement, _ = agreement_beyond_chance(annotations.labels, annotations.identity)
    assert [name for name, value in zip(ATTRIBUTES, agreement) if value > 0.9] == list(LASTING)
    assert agreement[ATTRIBUTES.index('Male')] == pytest.approx(0.98, abs=0.01)
