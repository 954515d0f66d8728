"""The mathematics of an evaluation, on arrays."""

from typing import Dict, Optional, Sequence, Tuple, Union

import numpy as np

# What attribute_scores gives for each attribute, in the order of tables.
PERCENTAGES = (
    'accuracy',
    'balanced_accuracy',
    'precision',
    'recall',
    'f1',
    'average_precision',
    'prevalence',
    'majority_baseline',
)

# What a report adds where it knows the persons.
AGREEMENTS = ('agreement', 'label_agreement')

# An attribute lasts if two images of one person agree on it so far beyond chance. Of CelebA's, Male (0.97) and Young
# (0.82) do; Blurry (0.13), Smiling (0.26) and Wearing_Hat (0.34) do not.
LASTING = 0.35


def attribute_scores(
    scores: np.ndarray, targets: np.ndarray, thr: Union[float, np.ndarray] = 0.5
) -> Dict[str, np.ndarray]:
    """How well each attribute is predicted.

    Args:
        scores: Probabilities ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
        thr: An attribute with at least this score is predicted; one for all, or ``(L, )``.

    Returns:
        Arrays ``(L, )``: ``num_labelled`` and, in percent, accuracy, balanced accuracy, precision, recall, F1, average
        precision, prevalence, and the accuracy of always predicting the label that is more frequent in ``targets``.
        What is undefined, such as the recall of an attribute that no image has, is NaN.
    """
    known = targets >= 0
    positive, predicted = targets == 1, scores >= thr
    count = known.sum(0)
    tp = (positive & predicted).sum(0)
    fp = (known & ~positive & predicted).sum(0)
    fn = (positive & ~predicted).sum(0)
    tn = count - tp - fp - fn
    with np.errstate(divide='ignore', invalid='ignore'):
        recall, specificity = tp / (tp + fn), tn / (tn + fp)
        prevalence = (tp + fn) / count
        values = dict(
            accuracy=(tp + tn) / count,
            balanced_accuracy=(recall + specificity) / 2,
            precision=tp / (tp + fp),
            recall=recall,
            f1=2 * tp / (2 * tp + fp + fn),
            average_precision=np.array(
                [average_precision(scores[known[:, i], i], positive[known[:, i], i]) for i in range(scores.shape[1])]
            ),
            prevalence=prevalence,
            majority_baseline=np.maximum(prevalence, 1 - prevalence),
        )
    return dict(num_labelled=count, **{name: 100 * value for name, value in values.items()})


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the precision-recall steps; images of equal score enter together. NaN without positives.

    Args:
        scores: ``(N, )``.
        positive: Booleans ``(N, )``.
    """
    if not positive.any():
        return np.nan
    order = np.argsort(-scores, kind='stable')
    scores, found = scores[order], positive[order].cumsum()
    last = np.append(scores[1:] != scores[:-1], True)
    found, ranks = found[last], np.flatnonzero(last) + 1
    return float((np.diff(found, prepend=0) * found / ranks).sum() / found[-1])


def sums_by_person(identity: np.ndarray, *fields: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """What the images of each person have together.

    Args:
        identity: ``(N, )``; each number is a person.
        fields: F arrays ``(N, L)``, numbers or booleans.

    Returns:
        Sums ``(F, P, L)``, persons in ascending order of identity, and the place of each image's person ``(N, )``.
    """
    persons, person = np.unique(identity, return_inverse=True)
    sums = np.zeros((len(fields), len(persons), fields[0].shape[1]))
    for total, field in zip(sums, fields):
        np.add.at(total, person, field)
    return sums, person


def agreement(on: np.ndarray, counted: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """How often two images of one person agree on an attribute, in percent; the mean over persons.

    The paper's mechanism (section 3.2): the identity loss should make predictions for one person alike.

    Args:
        on: Booleans ``(N, L)``, labels or predictions.
        counted: Booleans ``(N, L)``: whether the image counts for the attribute.
        identity: ``(N, )``; images of unknown identity (-1) do not count.

    Returns:
        ``(L, )``; NaN where nobody has two images that count.
    """
    known = identity >= 0
    (images, positive), _ = sums_by_person(identity[known], counted[known], (on & counted)[known])
    negative = images - positive
    pairs = images * (images - 1)
    agreeing = positive * (positive - 1) + negative * (negative - 1)
    shares = np.divide(agreeing, pairs, out=np.zeros_like(pairs), where=pairs > 0)
    with np.errstate(invalid='ignore'):
        return 100 * shares.sum(0) / (pairs > 0).sum(0)


def agreement_beyond_chance(targets: np.ndarray, identity: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """How much more two images of one person agree on a label than images of two persons do.

    Args:
        targets: ``(N, L)``, 1, 0, or -1 for unknown.
        identity: ``(N, )``; images of unknown identity (-1) do not count.

    Returns:
        The agreement ``(L, )``, 0 as for two persons, 1 if a person's labels never change; NaN where the label is the
        same for all persons or nobody has two images. And the prevalence ``(L, )``, the mean over the same persons of
        the share of their images.
    """
    known = targets >= 0
    observed = agreement(targets == 1, known, identity) / 100
    someone = identity >= 0
    (images, positive), _ = sums_by_person(identity[someone], known[someone], (targets == 1)[someone])
    counted = images > 1
    shares = np.divide(positive, images, out=np.zeros_like(images), where=counted)
    with np.errstate(invalid='ignore'):
        prevalence = shares.sum(0) / counted.sum(0)
        chance = prevalence**2 + (1 - prevalence) ** 2
        return (observed - chance) / (1 - chance), prevalence


def make_report(
    scores: np.ndarray,
    targets: np.ndarray,
    identity: np.ndarray,
    classes: Sequence[str],
    groups: Sequence[dict] = (),
    thr: Union[float, np.ndarray] = 0.5,
    about: Optional[dict] = None,
) -> dict:
    """All there is to say of an evaluation, as a dict that JSON can hold, with None for what is undefined.

    Args:
        scores: Probabilities ``(N, L)``.
        targets: ``(N, L)``, 1 or 0; -1 is unknown and not scored.
        identity: The data set's numbers of the persons ``(N, )``, -1 for unknown.
        classes: The L names.
        groups: Dicts of ``name`` and ``labels``, whose mean accuracies are reported too.
        thr: An attribute with at least this score is predicted; one for all, or ``(L, )``.
        about: What else to say, such as protocol and split.

    ``lasting`` names the attributes that stay with a person, those whose labels agree within one by :data:`LASTING`
    beyond chance. ``by_identity`` lists the persons (-1 is all unknown ones), and for each attribute and person the
    labels that were predicted right and those that are known.
    """
    known = targets >= 0
    values = dict(
        attribute_scores(scores, targets, thr),
        agreement=agreement(scores >= thr, known, identity),
        label_agreement=agreement(targets == 1, known, identity),
    )
    means = {name: mean_or_none(values[name]) for name in (*PERCENTAGES, *AGREEMENTS)}
    thresholds = np.broadcast_to(thr, len(classes))
    correct = known & ((scores >= thr) == (targets == 1))
    counts, _ = sums_by_person(identity, correct, known)
    correct_by_person, known_by_person = (dict(zip(classes, count.T.astype(int).tolist())) for count in counts)
    accuracy = dict(zip(classes, values['accuracy']))
    beyond_chance, _ = agreement_beyond_chance(targets, identity)

    return dict(
        mean_accuracy=means['accuracy'],
        **(about or {}),
        num_images=len(scores),
        num_identities=int(len(np.unique(identity[identity >= 0]))),
        means=means,
        groups={group['name']: mean_or_none([accuracy[label] for label in group['labels']]) for group in groups},
        attributes={
            name: dict(
                {key: plain(value[i]) for key, value in values.items()}, threshold=round(float(thresholds[i]), 6)
            )
            for i, name in enumerate(classes)
        },
        lasting=[name for name, value in zip(classes, beyond_chance) if value >= LASTING],
        # Images of one person are not independent: intervals need the figures of each.
        by_identity=dict(identity=np.unique(identity).tolist(), correct=correct_by_person, labelled=known_by_person),
    )


def mean_or_none(values: Sequence[float]) -> Optional[float]:
    """The mean of what is not NaN; None where nothing is."""
    values = np.asarray(values)
    return plain(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else None


def plain(value: np.generic) -> Optional[float]:
    """A number that JSON can hold; None for NaN."""
    return None if np.isnan(value) else value.item()
