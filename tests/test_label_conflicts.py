from itertools import product

import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.datasets import read_annotations
from imcnn_plugin.label_conflicts import COMBINATIONS, count_label_conflicts, predict_without_conflicts


def found_in(labels):
    """The combinations that an image has, from a dict of its labels."""
    colors = labels['Black_Hair'] + labels['Blond_Hair'] + labels['Brown_Hair'] + labels['Gray_Hair']
    hair = not labels['No_Beard'] or labels['Goatee'] or labels['Mustache'] or labels['Sideburns']
    return {
        'No_Beard with Goatee': labels['No_Beard'] and labels['Goatee'],
        'No_Beard with Mustache': labels['No_Beard'] and labels['Mustache'],
        'No_Beard with Sideburns': labels['No_Beard'] and labels['Sideburns'],
        'facial hair without Male': not labels['Male'] and (hair or labels['5_o_Clock_Shadow']),
        'two hair colors': colors >= 2,
        'Straight_Hair with Wavy_Hair': labels['Straight_Hair'] and labels['Wavy_Hair'],
        'Bald with Bangs': labels['Bald'] and labels['Bangs'],
        'Bald with Straight_Hair or Wavy_Hair': labels['Bald'] and (labels['Straight_Hair'] or labels['Wavy_Hair']),
        'Bangs with Receding_Hairline': labels['Bangs'] and labels['Receding_Hairline'],
    }


def test_counts_what_each_image_has():
    rng = np.random.default_rng(0)
    predicted, targets = rng.random((200, 40)) < 0.2, (rng.random((200, 40)) < 0.1).astype(int)
    rows = count_label_conflicts(predicted, targets, ATTRIBUTES)
    assert [row.name for row in rows] == [*COMBINATIONS, 'any of these']
    for values, key in ((predicted, 'predicted'), (targets == 1, 'labelled')):
        images = [found_in(dict(zip(ATTRIBUTES, image))) for image in values.tolist()]
        for row in rows[:-1]:
            assert getattr(row, key) == sum(bool(image[row.name]) for image in images)
        assert getattr(rows[-1], key) == sum(any(image.values()) for image in images)
    assert {row.images for row in rows} == {200}


def test_ignores_unknown_labels_and_combinations_of_missing_classes():
    classes = ['Bangs', 'Tall', 'Bald', 'Receding_Hairline']
    predicted = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 0], [1, 1, 1, 0]], bool)
    targets = np.array([[1, 1, 1, 0], [1, 0, -1, 1], [1, -1, 0, 0], [1, 1, 1, -1]])
    bald, receding, union = count_label_conflicts(predicted, targets, classes)
    assert (bald.name, bald.predicted, bald.labelled, bald.images) == ('Bald with Bangs', 2, 2, 3)
    assert receding.name == 'Bangs with Receding_Hairline'
    assert (receding.predicted, receding.labelled, receding.images) == (1, 1, 3)
    # All labels of the first and third image are known.
    assert (union.predicted, union.labelled, union.images) == (1, 1, 2)
    assert count_label_conflicts(predicted, predicted.astype(int), ['a', 'b', 'c', 'd']) == []


def test_combinations_hardly_occur_in_celeba(celeba_annotations):
    labels = read_annotations(celeba_annotations).labels == 1
    place = {name: i for i, name in enumerate(ATTRIBUTES)}

    def share(*literals):
        on = np.array([labels[:, place[name.lstrip('-')]] != name.startswith('-') for name in literals])
        return on.all(0).sum() / on.sum(1).min()

    shares = [share(*literals) for sets in COMBINATIONS.values() for literals in sets]
    assert max(shares) < 0.07 and np.median(shares) < 0.02
    assert share('No_Beard', '5_o_Clock_Shadow') == pytest.approx(0.28, abs=0.005)


CONFLICTING = [
    'Male', 'No_Beard', 'Goatee', 'Mustache', '5_o_Clock_Shadow', 'Black_Hair', 'Blond_Hair', 'Bald', 'Bangs',
    'Wavy_Hair', 'Straight_Hair', 'Smiling',
]  # fmt: skip


def test_labels_without_conflicts_are_the_most_probable_ones():
    """Against a search through all labels of twelve attributes."""
    rng = np.random.default_rng(0)
    p, thresholds = rng.uniform(0.01, 0.99, (60, 12)), rng.uniform(0.3, 0.7, 12)
    found = predict_without_conflicts(p, thresholds, CONFLICTING)
    # Odds of a positive label, relative to the threshold.
    odds = p / (1 - p) * (1 - thresholds) / thresholds
    missing = dict.fromkeys(ATTRIBUTES, 0) | dict(No_Beard=1)
    every = np.array([*product([0, 1], repeat=12)])
    every = every[[not any(found_in(missing | dict(zip(CONFLICTING, row))).values()) for row in every.tolist()]]
    best = every[(every @ np.log(odds.T)).argmax(0)]
    assert np.array_equal(found, best)
    assert 0 < (found != (p >= thresholds)).any(1).sum() < 60
    assert not (found != (p >= thresholds))[:, -1].any()


def test_labels_that_are_certain_and_those_without_conflicts():
    classes = ['Black_Hair', 'Blond_Hair', 'Tall']
    p = np.array([[1, 1, 0], [0.6, 0.9, 0.2], [0.5, 0.1, 0.5], [0, 0, 1]], np.float32)
    found = predict_without_conflicts(p, np.full(3, 0.5, np.float32), classes)
    assert found[0].sum() == 1 and found[1:].tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 1]]
    assert predict_without_conflicts(p, np.zeros(3), ['a', 'b', 'c']).all()
