import numpy as np
import pytest
from scipy.optimize import minimize

from imcnn_plugin.evaluation.identity_pooling import (
    RIDGE,
    _evidence_of_others,
    _ridge_logistic,
    fit_pooling,
    pool,
)


def test_evidence_is_that_of_the_others():
    rng = np.random.default_rng(0)
    logits, identity = rng.normal(size=(12, 2)) * 3, np.array([-1, 3, 3, 3, 5, 7, 7, -1, 3, 9, 9, 9])
    agreement, prevalence = np.array([0.4, 0.8]), np.array([0.3, 0.6])
    found, others = _evidence_of_others(logits, identity, agreement, prevalence)
    for i, who in enumerate(identity):
        rest = [j for j in range(12) if j != i and identity[j] == who and who >= 0]
        assert others[i] == len(rest)
        for label in range(2):
            strength = 1 / agreement[label] - 1
            positive = prevalence[label] * strength + sum(1 / (1 + np.exp(-logits[j, label])) for j in rest)
            negative = strength + len(rest) - positive
            prior = np.log(prevalence[label] / (1 - prevalence[label]))
            assert found[i, label] == pytest.approx(np.log(positive / negative) - prior)


def test_evidence_of_certain_others_is_finite():
    logits = np.array([[800.0], [800.0], [-800.0], [-800.0]], np.float32)
    found, _ = _evidence_of_others(logits, np.array([0, 0, 1, 1]), np.array([0.99]), np.array([0.5]))
    assert np.isfinite(found).all() and found[0, 0] > 4 and found[2, 0] < -4


@pytest.mark.parametrize('scale', [1, 300])
@pytest.mark.parametrize('ridge', [0.5, 30])
def test_ridge_logistic_finds_the_minimum(scale, ridge):
    rng = np.random.default_rng(0)
    x, weight, prior = rng.normal(size=(60, 3)) * (scale, 1, 1), rng.random(60) + 0.5, np.array([1.0, 0.3, 0.0])
    # Separable data has no minimum without the ridge.
    y = (x[:, 0] > 0).astype(float)
    y[:5] = 1 - y[:5]

    def loss(theta):
        score = x @ theta
        return weight @ (np.logaddexp(0, score) - y * score) + ridge / 2 * ((theta - prior) ** 2).sum()

    expected = minimize(loss, prior, method='Nelder-Mead', options=dict(xatol=1e-8, fatol=1e-10, maxiter=5000)).fun
    assert loss(_ridge_logistic(x, y, weight, prior, ridge)) == pytest.approx(expected, rel=1e-5)


def test_with_certain_others_only_the_evidence_counts(draw_labels):
    """Without the image itself, the posterior odds are those of the beta-binomial model: own 0, others 1."""
    rng = np.random.default_rng(0)
    agreement, prevalence = np.array([0.5]), np.array([0.3])
    targets, identity = draw_labels(rng, 6000, 4, agreement, prevalence)
    rest = np.where(targets == 1, 30.0, -30.0)
    evidence, _ = _evidence_of_others(rest, identity, agreement, prevalence)
    x = np.concatenate([evidence, np.ones_like(evidence)], 1)
    others, offset = _ridge_logistic(x, targets[:, 0], np.ones(len(x)), np.zeros(2), 1e-3)
    assert others == pytest.approx(1, abs=0.05) and offset == pytest.approx(np.log(0.3 / 0.7), abs=0.05)


@pytest.fixture(scope='module')
def fitted(draw_labels):
    """A model with independent errors, on attributes that are stable, less stable, and transient."""
    rng = np.random.default_rng(1)
    agreement, prevalence = np.array([0.9, 0.5, 0.02]), np.array([0.5, 0.3, 0.5])
    stable = np.array([True, True, False])
    splits = {}
    for split in ('val', 'test'):
        targets, identity = draw_labels(rng, 800, 4, agreement, prevalence)
        logits = 2 * (targets - 0.5) + rng.normal(size=targets.shape) * 1.5
        splits[split] = logits, targets, identity
    return splits, stable, agreement, prevalence, fit_pooling(*splits['val'], stable, agreement, prevalence)


def accuracy(scores, targets):
    return ((scores >= 0) == (targets == 1)).mean(0)


def test_pooling_improves_stable_attributes(fitted):
    splits, stable, agreement, prevalence, theta = fitted
    logits, targets, identity = splits['test']
    scores, others = pool(logits, identity, theta, agreement, prevalence)
    gain = accuracy(scores, targets) - accuracy(logits, targets)
    assert gain[0] > 0.1 and gain[1] > 0.02
    assert theta[0, 1] > 0.5 and (others == 3).all()
    # A transient attribute keeps its logits.
    assert theta[2].tolist() == [1, 0, 0] and np.array_equal(scores[:, 2], logits[:, 2])


def test_fit_is_regularized_towards_the_shared_parameters(fitted):
    splits, stable, agreement, prevalence, theta = fitted
    logits, targets, identity = splits['val']
    # Single images, unknown identities and unknown labels have no influence.
    more = np.array([[9.0, 9, 9], [-9, -9, -9], [9, 9, 9], [9, 9, 9]])
    wrong = np.array([[0, 0, 0], [1, 1, 1], [-1, -1, 0], [-1, -1, 1]])
    again = fit_pooling(
        np.concatenate([logits, more]),
        np.concatenate([targets, wrong]),
        np.concatenate([identity, [90000, -1, 90001, 90001]]),
        stable,
        agreement,
        prevalence,
    )
    assert again == pytest.approx(theta, abs=1e-6)

    evidence, others = _evidence_of_others(logits, identity, agreement, prevalence)
    x = np.stack([logits, evidence, np.ones_like(logits)], 2)

    def loss(parameters):
        score = np.einsum('nld,ld->nl', x[:, :2, : parameters.shape[1]], parameters)
        return (np.logaddexp(0, score) - targets[:, :2] * score).sum()

    shared = minimize(lambda s: loss(np.stack([s, s])) + ((s - (1, 0)) ** 2).sum() / 2, (1, 0)).x
    prior = np.append(shared, 0)
    best = minimize(
        lambda t: loss(t.reshape(2, 3)) + RIDGE / 2 * ((t.reshape(2, 3) - prior) ** 2).sum(), np.tile(prior, 2)
    ).x
    assert theta[:2] == pytest.approx(best.reshape(2, 3), abs=1e-3)


def test_an_identity_has_the_weight_of_the_root_of_its_number_of_images():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(70, 1)), rng.integers(0, 2, (70, 1))
    identity = np.concatenate([np.zeros(50, int), np.repeat(np.arange(1, 11), 2)])
    agreement, prevalence = np.array([0.5]), np.array([0.5])
    found = fit_pooling(logits, targets, identity, np.array([True]), agreement, prevalence)
    evidence, _ = _evidence_of_others(logits, identity, agreement, prevalence)
    x = np.concatenate([logits, evidence, np.ones((70, 1))], 1)
    weight = np.concatenate([np.full(50, 50**-0.5), np.full(20, 2**-0.5)])
    weight = weight / weight.mean()
    shared = _ridge_logistic(x[:, :2], targets[:, 0], weight, np.array([1.0, 0.0]), 1.0)
    expected = _ridge_logistic(x, targets[:, 0], weight, np.append(shared, 0.0), RIDGE)
    assert found[0] == pytest.approx(expected)
