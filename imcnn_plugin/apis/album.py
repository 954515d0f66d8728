import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError
from ..evaluation import STABLE_AGREEMENT, pool, sigmoid
from ..files import read_bytes, write_text


@dataclass(frozen=True)
class Album:
    """Parameters for predicting all photos of one person together, :mod:`imcnn_plugin.evaluation.identity_pooling`.

    ``tools/fit_album.py`` fits them to a checkpoint.

    Args:
        classes: Names of the L attributes.
        agreement: Agreement of training labels within an identity beyond chance, ``(L, )``; NaN where unknown.
        prevalence: Mean share of positive images of an identity, ``(L, )``.
        theta: Weight of the photo itself, weight of the other photos, and offset, ``(L, 3)``.
        checkpoint: ``TrainedModel.checksum`` of the model whose logits it was fitted to.
    """

    classes: Sequence[str]
    agreement: np.ndarray
    prevalence: np.ndarray
    theta: np.ndarray
    checkpoint: str

    @property
    def identity_stable(self) -> np.ndarray:
        """Which attributes are identity-stable, and therefore pooled: booleans ``(L, )``."""
        return self.agreement >= STABLE_AGREEMENT

    def check(self, checksum: str) -> None:
        """Raises ConfigError if the album was fitted to other weights than those with this checksum."""
        if self.checkpoint != checksum:
            raise ConfigError(
                'the album was fitted to the scores of another checkpoint: fit one to this with tools/fit_album.py'
            )

    @property
    def checksum(self) -> str:
        """16 hexadecimal digits that identify the album."""
        content = json.dumps([list(self.classes), self.checkpoint]).encode()
        values = np.column_stack([self.agreement, self.prevalence, self.theta]).tobytes()
        return hashlib.sha256(content + values).hexdigest()[:16]

    def probabilities(
        self, logits: np.ndarray, probabilities: np.ndarray, identity: Optional[np.ndarray] = None
    ) -> np.ndarray:
        """Pooled probabilities ``(N, L)``.

        Args:
            logits: ``(N, L)``, before calibration.
            probabilities: ``(N, L)`` of each image alone. They are kept for transient attributes, and for identities
                with one image.
            identity: ``(N, )``, -1 for unknown; None: all images show one identity.
        """
        identity = np.zeros(len(logits), int) if identity is None else identity
        known = _poolable(self.agreement, self.prevalence, self.identity_stable)
        scores, others = pool(logits, identity, self.theta, *known)
        return np.where((others > 0)[:, None] & self.identity_stable, sigmoid(scores), probabilities)

    def save(self, path: Union[str, Path]) -> None:
        """Writes a JSON file.

        Raises:
            DataError: It cannot be written.
        """
        attributes = {
            name: dict(
                identity_stable=bool(self.identity_stable[i]),
                agreement=_to_json(self.agreement[i]),
                prevalence=_to_json(self.prevalence[i]),
                **dict(zip(('own', 'others', 'offset'), map(_to_json, self.theta[i]))),
            )
            for i, name in enumerate(self.classes)
        }
        write_text(path, json.dumps(dict(checkpoint=self.checkpoint, attributes=attributes), indent=1) + '\n')

    @classmethod
    def load(cls, path: Union[str, Path]) -> 'Album':
        """Reads what :meth:`save` wrote.

        Raises:
            DataError: It cannot be read.
        """
        try:
            stored = json.loads(read_bytes(path, 'fit it with tools/fit_album.py'))
            agreement, prevalence, *theta = (
                np.array([values[key] for values in stored['attributes'].values()], float)
                for key in ('agreement', 'prevalence', 'own', 'others', 'offset')
            )
            return cls(list(stored['attributes']), agreement, prevalence, np.stack(theta, 1), stored['checkpoint'])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f'{path} is not an album ({error!r}): fit it with tools/fit_album.py') from error


def _poolable(agreement: np.ndarray, prevalence: np.ndarray, stable: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Agreement and prevalence ``(L, )`` strictly between 0 and 1, with placeholders where nothing is pooled."""
    return np.where(stable, agreement, STABLE_AGREEMENT).clip(max=0.99), np.where(stable, prevalence, 0.5)


def _to_json(value: np.generic) -> Optional[float]:
    return None if np.isnan(value) else round(float(value), 6)
