"""The mathematics of a person's album: attributes that last are predicted from all photos of a person together.

The paper's identity loss makes predictions for one person agree in training (section 3.2); here they are made to agree
at test, where it is known which photos are of one person.

Of n other photos of the person, with probabilities p of an attribute, the share of those that have it is estimated
with a Beta prior. Its mean is the attribute's prevalence, and its strength is 1 / agreement - 1, where agreement is
that of training labels within a person beyond chance: in a beta-binomial model, the correlation of two of its images::

    share    = (prevalence * strength + sum(p)) / (strength + n)
    evidence = logit(share) - logit(prevalence)
    score    = own * logit + others * evidence + offset

``own``, ``others`` and ``offset`` of each attribute are fitted by logistic regression.
"""

from typing import Tuple

import numpy as np

# What is fitted for each attribute is drawn to what is fitted for all, as strongly as by so many units of curvature.
RIDGE = 30.0


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(x / 2)


def evidence_of_others(
    logits: np.ndarray, identity: np.ndarray, agreement: np.ndarray, prevalence: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """What a person's other images say of each image.

    Args:
        logits: ``(N, L)``.
        identity: ``(N, )``; an image of unknown identity (-1) has no others.
        agreement: ``(L, )``, more than 0 and less than 1.
        prevalence: ``(L, )``, more than 0 and less than 1.

    Returns:
        The evidence ``(N, L)``, in units of logits, and the number of others ``(N, )``.
    """
    p = sigmoid(np.asarray(logits, float))
    persons, person, count = np.unique(identity, return_inverse=True, return_counts=True)
    total = np.zeros((len(persons), p.shape[1]))
    np.add.at(total, person, p)
    others = np.where(identity >= 0, count[person] - 1, 0)
    sums = np.where(others[:, None] > 0, total[person] - p, 0)
    strength = 1 / agreement - 1
    share = (prevalence * strength + sums) / (strength + others[:, None])
    return logit(share) - logit(prevalence), others


def ridge_logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray, prior: np.ndarray, ridge: float) -> np.ndarray:
    """The minimum of the weighted logistic loss, summed, plus ``ridge / 2`` times the squared distance to ``prior``.

    Args:
        x: ``(N, D)``.
        y: ``(N, )``, 1 or 0.
        weight: ``(N, )``.
        prior: ``(D, )``.
        ridge: More than 0.

    Returns:
        ``(D, )``.
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
        # Where scores are far out, a whole step may lead uphill.
        while loss(theta - step) > loss(theta) + 1e-9:
            step = step / 2
        theta = theta - step
        if np.abs(step).max() < 1e-8:
            break
    return theta


def fit_pooling(
    logits: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
    lasting: np.ndarray,
    agreement: np.ndarray,
    prevalence: np.ndarray,
) -> np.ndarray:
    """Fits ``own``, ``others`` and ``offset`` on images of persons with two or more.

    They are drawn to the two numbers that are best for all lasting attributes, and to no offset, since images of one
    person repeat each other and are few. For the same reason a person with n images counts as sqrt(n).

    Args:
        logits: ``(N, L)``, of images that the network was not trained on.
        targets: ``(N, L)``, 1, 0, or -1 for unknown.
        identity: ``(N, )``, -1 for unknown.
        lasting: Booleans ``(L, )``; of other attributes nothing is pooled.
        agreement: ``(L, )``, see :func:`evidence_of_others`.
        prevalence: ``(L, )``.

    Returns:
        ``(L, 3)``; 1, 0, 0 for what is not pooled.
    """
    evidence, others = evidence_of_others(logits, identity, agreement, prevalence)
    used = (others > 0)[:, None] & (targets >= 0) & lasting
    weight = np.broadcast_to(((others + 1.0) ** -0.5)[:, None], used.shape)
    weight = weight / weight[used].mean()
    x = np.stack([logits, evidence, np.ones_like(evidence)], 2).astype(float)
    y = (targets == 1).astype(float)
    theta = np.tile([1.0, 0.0, 0.0], (len(lasting), 1))
    # Next to all labels of all attributes, a ridge of 1 is next to nothing.
    shared = ridge_logistic(x[used][:, :2], y[used], weight[used], np.array([1.0, 0.0]), ridge=1.0)
    for i in np.flatnonzero(lasting):
        rows = used[:, i]
        theta[i] = ridge_logistic(x[rows, i], y[rows, i], weight[rows, i], np.append(shared, 0.0), RIDGE)
    return theta


def pool(
    logits: np.ndarray, identity: np.ndarray, theta: np.ndarray, agreement: np.ndarray, prevalence: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Pools images of persons.

    Args:
        logits: ``(N, L)``.
        identity: ``(N, )``, -1 for unknown.
        theta: ``(L, 3)`` of :func:`fit_pooling`.
        agreement: ``(L, )``.
        prevalence: ``(L, )``.

    Returns:
        Scores ``(N, L)``, in units of logits, and the number of others ``(N, )``; without any a score means nothing.
    """
    evidence, others = evidence_of_others(logits, identity, agreement, prevalence)
    own, weight, offset = theta.T
    return own * logits + weight * evidence + offset, others
