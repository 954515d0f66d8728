import numpy as np
import pytest

from imcnn_plugin.apis.person_predictions import find_torn_person
from imcnn_plugin.errors import DataError


def find(persons, **options):
    """Persons as ``{identity: [(label, probability), ...]}``, one after the other."""
    table = np.array([(person, *pair) for person, pairs in persons.items() for pair in pairs], float)
    return find_torn_person(table[:, 1], table[:, 0].astype(int), lambda rows: table[rows, 2] >= 0.5, **options)


def test_finds_the_person_about_whom_a_network_disagrees_with_itself():
    sure, torn = [(1, 0.9)] * 4, [(1, 0.9), (1, 0.1)] * 2
    assert find({1: sure, 2: torn, 3: sure}) == 2
    assert find({1: [(0, 0.6), *[(0, 0.4)] * 3], 2: torn, 3: sure}) == 2
    # Labels that differ, too few images, an unknown label, an unknown person.
    disagreeing = [(1, 0.9), (0, 0.1)] * 2
    unknown = [(-1, 0.9), (-1, 0.1)] * 2
    assert find({-1: torn, 1: disagreeing, 2: torn[:3], 3: unknown, 4: sure}) == 4
    # Of two, the one with more images; only the images that are shown count.
    assert find({1: torn, 2: torn * 2, 3: torn}) == 2
    assert find({1: sure * 2 + torn * 4, 2: [*sure, (1, 0.2)]}) == 2
    with pytest.raises(DataError, match='no identity has 5 images that agree'):
        find({1: torn}, min_images=5)
