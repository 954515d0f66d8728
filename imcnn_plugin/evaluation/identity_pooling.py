"""Identity pooling: identity-stable attributes are predicted from all images of an identity together.

In training, the paper's identity loss makes the predictions for one identity agree (section 3.2). Pooling makes them
agree at test time if it is known which images show the same identity.

From n other images of the identity, with probabilities p of an attribute, the share of positive images is estimated
with a Beta prior. Its mean is the prevalence of the attribute and its strength is 1 / agreement - 1. The agreement is
the within-identity agreement of training labels beyond chance: in a beta-binomial model, the correlation of two
images::

    share    = (prevalence * strength + sum(p)) / (strength + n)
    evidence = logit(share) - logit(prevalence)
    score    = own * logit + others * evidence + offset

``own``, ``others`` and ``offset`` of each attribute are fitted by logistic regression.
"""

from typing import Tuple

import numpy as np

from .calibration import sigmoid
from .identity_agreement import sum_by_identity

# Ridge penalty that draws the parameters of each attribute towards those fitted to all attributes.
RIDGE = 30.0


def fit_pooling(
    logits: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
    stable: np.ndarray,
    agreement: np.ndarray,
    prevalence: np.ndarray,
) -> np.ndarray:
    """Fits ``own``, ``others`` and ``offset`` on images of identities with two or more images.

    Identities have few images, which are not independent. Therefore the parameters are regularized towards shared ones
    that are fitted to all stable attributes without an offset, and an identity with n images has weight sqrt(n).

    Args:
        logits: ``(N, L)``, of images that the model was not trained on.
        targets: ``(N, L)``, 1, 0, or -1 for unknown.
        identity: ``(N, )``, -1 for unknown.
        stable: Booleans ``(L, )``; other attributes are not pooled.
        agreement: ``(L, )``, between 0 and 1.
        prevalence: ``(L, )``, between 0 and 1.

    Returns:
        ``(L, 3)``; 1, 0, 0 for attributes that are not pooled.
    """
    evidence, others = _evidence_of_others(logits, identity, agreement, prevalence)
    used = (others > 0)[:, None] & (targets >= 0) & stable
    weight = np.broadcast_to(((others + 1.0) ** -0.5)[:, None], used.shape)
    weight = weight / weight[used].mean()
    x = np.stack([logits, evidence, np.ones_like(evidence)], 2).astype(float)
    y = (targets == 1).astype(float)
    theta = np.tile([1.0, 0.0, 0.0], (len(stable), 1))
    # Against the labels of all attributes, a ridge of 1 is negligible.
    shared = _ridge_logistic(x[used][:, :2], y[used], weight[used], np.array([1.0, 0.0]), ridge=1.0)
    for i in np.flatnonzero(stable):
        rows = used[:, i]
        theta[i] = _ridge_logistic(x[rows, i], y[rows, i], weight[rows, i], np.append(shared, 0.0), RIDGE)
    return theta


def pool(
    logits: np.ndarray, identity: np.ndarray, theta: np.ndarray, agreement: np.ndarray, prevalence: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Pools the images of each identity.

    Args:
        logits: ``(N, L)``.
        identity: ``(N, )``, -1 for unknown.
        theta: ``(L, 3)`` of :func:`fit_pooling`.
        agreement: ``(L, )``, between 0 and 1.
        prevalence: ``(L, )``, between 0 and 1.

    Returns:
        Scores ``(N, L)``, as logits, and the number of other images ``(N, )``; if it is 0, the score is meaningless.
    """
    evidence, others = _evidence_of_others(logits, identity, agreement, prevalence)
    own, weight, offset = theta.T
    return own * logits + weight * evidence + offset, others


def _evidence_of_others(
    logits: np.ndarray, identity: np.ndarray, agreement: np.ndarray, prevalence: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """The evidence ``(N, L)``, as logits, of the other images of the same identity, and their number ``(N, )``.

    An image of unknown identity (-1) has no others.
    """
    p = sigmoid(np.asarray(logits, float))
    (total,), index = sum_by_identity(identity, p)
    others = np.where(identity >= 0, np.bincount(index)[index] - 1, 0)
    sums = np.where(others[:, None] > 0, total[index] - p, 0)
    strength = 1 / agreement - 1
    share = (prevalence * strength + sums) / (strength + others[:, None])
    return _logit(share) - _logit(prevalence), others


def _logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def _ridge_logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray, prior: np.ndarray, ridge: float) -> np.ndarray:
    """Minimizes the weighted sum of logistic losses plus ``ridge / 2`` times the squared distance to ``prior``.

    Uses Newton's method. ``x`` is ``(N, D)``; ``prior`` and the result are ``(D, )``.
    """

    def loss(theta: np.ndarray) -> float:
        score = x @ theta
        return weight @ (np.logaddexp(0, score) - y * score) + ridge / 2 * ((theta - prior) ** 2).sum()

    theta = prior.astype(float)
    for _ in range(100):
        p = sigmoid(x @ theta)
        gradient = x.T @ (weight * (p - y)) + ridge * (theta - prior)
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(theta))
        step = np.linalg.solve(curvature, gradient)
        # A full Newton step may increase the loss if scores are large.
        while loss(theta - step) > loss(theta) + 1e-9:
            step = step / 2
        theta = theta - step
        if np.abs(step).max() < 1e-8:
            break
    return theta
