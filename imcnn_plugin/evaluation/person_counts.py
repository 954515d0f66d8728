"""Counts of labels by attribute and person, as a short text that a line of JSON can hold."""

import base64
import math
import zlib
from typing import Dict, Sequence

import numpy as np

from ..errors import DataError


def pack_counts(by_identity: Dict[str, dict]) -> Dict[str, object]:
    """``by_identity`` of a report, its counts as texts; about 8 kB for 549 persons.

    Wrong labels are few and take less room than right ones.
    """
    correct, labelled = (np.array([*by_identity[key].values()]) for key in ('correct', 'labelled'))
    return dict(
        identity=by_identity['identity'],
        wrong=pack(labelled - correct),
        labelled=pack(labelled),
    )


def pack(counts: np.ndarray) -> str:
    # All images of unknown identity are one person's, and may be more than two bytes can count.
    width = 2 if counts.max(initial=0) < 2**16 else 4
    return base64.b64encode(zlib.compress(counts.astype(f'<u{width}').tobytes(), 9)).decode()


def unpack_counts(packed: Dict[str, object], names: Sequence[str], attributes: Sequence[str]) -> Dict[str, np.ndarray]:
    """The numbers of each person's labels, summed over some attributes.

    Args:
        packed: Of :func:`pack_counts`.
        names: The attributes that were tested, in their order.
        attributes: Those that are summed over.

    Returns:
        ``correct`` and ``labelled``, both ``(P, )``.

    Raises:
        DataError: The texts are damaged.
    """
    chosen = [names.index(name) for name in attributes]

    def unpack(text):
        try:
            content = zlib.decompress(base64.b64decode(text, validate=True))
            shape = len(names), len(packed['identity'])
            counts = np.frombuffer(content, f'<u{len(content) // math.prod(shape)}')
            return counts.reshape(shape)[chosen].sum(0, dtype=int)
        except (ValueError, zlib.error, TypeError, ZeroDivisionError) as error:
            raise DataError(f"the persons' figures cannot be read: {error}") from error

    labelled = unpack(packed['labelled'])
    return dict(correct=labelled - unpack(packed['wrong']), labelled=labelled)
