from itertools import combinations

import numpy as np
import pytest

from imcnn_plugin.evaluation.identity_agreement import agreement_beyond_chance, within_identity_agreement


def test_within_identity_agreement_is_that_of_pairs():
    rng = np.random.default_rng(1)
    on, counted, identity = rng.random((40, 3)) < 0.6, rng.random((40, 3)) < 0.8, rng.integers(-1, 9, 40)
    for i in range(3):
        shares = []
        for who in range(9):
            rows = np.flatnonzero((identity == who) & counted[:, i])
            pairs = [on[a, i] == on[b, i] for a, b in combinations(rows, 2)]
            shares += [np.mean(pairs)] if pairs else []
        assert within_identity_agreement(on, counted, identity)[i] == pytest.approx(100 * np.mean(shares))
    assert np.isnan(within_identity_agreement(on, counted, np.arange(40))).all()


def test_agreement_beyond_chance_counts_pairs():
    rng = np.random.default_rng(0)
    # The last identity has one image.
    identity = np.append(rng.integers(-1, 6, 40), 6)
    targets = np.concatenate([rng.integers(-1, 2, (40, 3)), np.ones((1, 3), int)])
    found, prevalence = agreement_beyond_chance(targets, identity)
    for label in range(3):
        shares, agreeing = [], []
        for who in range(7):
            own = [y for y in targets[identity == who, label] if y >= 0]
            if len(own) > 1:
                shares.append(np.mean(own))
                agreeing.append(np.mean([a == b for a, b in combinations(own, 2)]))
        p = np.mean(shares)
        chance = p**2 + (1 - p) ** 2
        assert prevalence[label] == pytest.approx(p)
        assert found[label] == pytest.approx((np.mean(agreeing) - chance) / (1 - chance))


def test_agreement_beyond_chance_is_the_correlation_within_an_identity(draw_labels):
    expected, prevalence = np.array([0.1, 0.4, 0.9]), np.array([0.5, 0.2, 0.7])
    targets, identity = draw_labels(np.random.default_rng(0), 20000, 3, expected, prevalence)
    found = agreement_beyond_chance(targets, identity)
    assert found[0] == pytest.approx(expected, abs=0.02) and found[1] == pytest.approx(prevalence, abs=0.02)


def test_agreement_of_constant_and_unknown_labels():
    identity = np.array([0, 0, 1, 1, 2])
    targets = np.array([[1, 1, -1], [1, 1, -1], [0, 1, 1], [0, 1, -1], [1, 1, 0]])
    found, _ = agreement_beyond_chance(targets, identity)
    assert found[0] == 1 and np.isnan(found[1:]).all()
