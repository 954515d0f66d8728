"""Face verification as on LFW (Huang et al. 2007): do two images show the same identity, by feature similarity."""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Set, Tuple, Union

import numpy as np

from ..errors import DataError
from ..files import read_text


@dataclass(frozen=True)
class FacePairs:
    """Pairs of images, in folds that share no identity.

    Args:
        names: N pairs of paths in the image folder.
        same: ``(N, )``, whether both images show the same identity.
        fold: ``(N, )``, from 0.
    """

    names: List[Tuple[str, str]]
    same: np.ndarray
    fold: np.ndarray

    def inside(self, folder: Union[str, Path]) -> 'FacePairs':
        """The pairs whose images are both in a folder; LFWA lacks a few images of LFW.

        Raises:
            DataError: No such pair shows the same identity, or none shows different identities.
        """
        names = {name for pair in self.names for name in pair}
        return self.among({name for name in names if Path(folder, name).is_file()}, str(folder))

    def among(self, names: Set[str], source: str) -> 'FacePairs':
        """The pairs whose names are both in ``names``; empty folds are dropped. ``source`` is for error messages.

        Raises:
            DataError: No such pair shows the same identity, or none shows different identities.
        """
        kept = np.array([names.issuperset(pair) for pair in self.names])
        if not self.same[kept].any() or self.same[kept].all():
            missing = {name for pair in self.names for name in pair} - names
            raise DataError(f'{source}: {min(missing)} is not there, and so are {len(missing) - 1} more of the images')
        fold = np.unique(self.fold[kept], return_inverse=True)[1]
        return FacePairs([self.names[row] for row in np.flatnonzero(kept)], self.same[kept], fold)


@dataclass(frozen=True)
class Verification:
    """The result of :func:`verify_faces`.

    Args:
        accuracy: Accuracy of each fold in percent, at the threshold that is best on the other folds.
        auc: Area under the ROC curve, 0.5 for chance.
        false_accepts: False accept rates of the ROC curve, in ascending order.
        true_accepts: True accept rates at the same thresholds.
    """

    accuracy: np.ndarray
    auc: float
    false_accepts: np.ndarray
    true_accepts: np.ndarray

    @property
    def mean(self) -> float:
        """Mean accuracy over the folds in percent."""
        return float(self.accuracy.mean())


def _standard_error(accuracy: np.ndarray) -> float:
    """Standard error of the mean accuracy over folds, as LFW reports it; NaN for one fold."""
    return float(accuracy.std(ddof=1) / len(accuracy) ** 0.5) if len(accuracy) > 1 else float('nan')


def read_face_pairs(path: Union[str, Path]) -> FacePairs:
    """Reads LFW's ``pairs.txt``.

    Line 1 has the number of folds and the number n of pairs of each kind per fold. Each fold then has n lines
    ``name number number`` for pairs of the same identity and n lines ``name number name number`` for the others.

    Raises:
        DataError: The file cannot be read, or a line has another form.
    """
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()]
    head = lines[0] if lines else []
    if not head or len(head) > 2 or not all(value.isdecimal() and int(value) for value in head):
        raise DataError(f'{path}, line 1: expected the number of folds and of pairs, found {" ".join(head)!r}')
    # The files of the development view (View 1) have one fold and omit its number.
    folds, pairs = map(int, ['1', *head][-2:])
    if len(lines) - 1 != 2 * folds * pairs:
        raise DataError(
            f'{path}: expected {2 * folds * pairs} pairs, {folds} folds of 2 x {pairs}, found {len(lines) - 1}'
        )
    names, same = [], []
    for number, fields in enumerate(lines[1:], 2):
        one = (number - 2) // pairs % 2 == 0
        if len(fields) != (3 if one else 4) or not all(fields[i].isdecimal() for i in ((1, 2) if one else (1, 3))):
            form = 'person number number' if one else 'person number person number'
            raise DataError(f'{path}, line {number}: expected {form!r}, found {" ".join(fields)!r}')
        first, second = (fields[:2], fields[::2]) if one else (fields[:2], fields[2:])
        names.append(tuple(f'{person}/{person}_{int(image):04d}.jpg' for person, image in (first, second)))
        same.append(one)
    return FacePairs(names, np.array(same), np.arange(len(names)) // (2 * pairs))


def verify_faces(similarity: np.ndarray, same: np.ndarray, fold: np.ndarray) -> Verification:
    """Accuracy and ROC curve of pairs that are accepted if their similarity reaches a threshold.

    Args:
        similarity: ``(N, )``, higher for more similar pairs.
        same: Booleans ``(N, )``, whether a pair shows the same identity.
        fold: ``(N, )``. If there is only one fold, the threshold is chosen on it.

    Raises:
        ValueError: No pair shows the same identity, or none shows different identities.
    """
    order = np.argsort(-similarity, kind='stable')
    # Thresholds lie between two different similarities, or beyond all of them.
    ends = np.append(np.flatnonzero(np.diff(similarity[order])) + 1, len(order))
    thresholds = np.append(np.inf, similarity[order][ends - 1])
    counts = [np.append(0, np.cumsum(kind[order])[ends - 1]) for kind in (same, ~same)]
    if not all(total[-1] for total in counts):
        raise ValueError('pairs of one person and of two are needed')
    true_accepts, false_accepts = (total / total[-1] for total in counts)
    folds = np.unique(fold)
    accuracy = []
    for held_out in folds:
        own = fold == held_out
        others = own if len(folds) == 1 else ~own
        # Correct decisions on the other folds at each threshold.
        right = (same & others).astype(int) - (~same & others).astype(int)
        best = np.append(0, np.cumsum(right[order])[ends - 1]).argmax()
        accuracy.append(100 * ((similarity[own] >= thresholds[best]) == same[own]).mean())
    auc = float(np.trapezoid(true_accepts, false_accepts))
    return Verification(np.array(accuracy), auc, false_accepts, true_accepts)
