import json
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple, Union

import numpy as np

from ..errors import ConfigError, DataError
from ..evaluation.attribute_scores import LASTING
from ..evaluation.identity_pooling import pool, sigmoid
from ..files import write_text


@dataclass(frozen=True)
class Album:
    """How a person's photos are predicted together; see :mod:`imcnn_plugin.evaluation.identity_pooling`.

    ``tools/fit_album.py`` makes one for a checkpoint.
    """

    classes: Sequence[str]
    agreement: np.ndarray  # (L, ) of training labels within a person, beyond chance; NaN where it is unknown
    prevalence: np.ndarray  # (L, )
    theta: np.ndarray  # (L, 3) own, others, offset
    checkpoint: str  # weights_checksum of the model whose logits it was fitted to

    @property
    def lasting(self) -> np.ndarray:
        """Booleans ``(L, )``."""
        return self.agreement >= LASTING

    def check(self, checksum: str) -> None:
        """Raises ConfigError if it was fitted to other weights than those of this ``weights_checksum``."""
        if self.checkpoint != checksum:
            raise ConfigError(
                'the album was fitted to the scores of another checkpoint: fit one to this with tools/fit_album.py'
            )

    def probabilities(
        self, logits: np.ndarray, probabilities: np.ndarray, identity: Optional[np.ndarray] = None
    ) -> np.ndarray:
        """Probabilities ``(N, L)`` of the images of persons.

        Args:
            logits: ``(N, L)``, before calibration.
            probabilities: ``(N, L)`` of each image alone, which stay for attributes that do not last and for persons
                with one image.
            identity: ``(N, )``, -1 for unknown; None: all are of one person.
        """
        identity = np.zeros(len(logits), int) if identity is None else identity
        known = usable(self.agreement, self.prevalence, self.lasting)
        scores, others = pool(logits, identity, self.theta, *known)
        return np.where((others > 0)[:, None] & self.lasting, sigmoid(scores), probabilities)

    def save(self, path: Union[str, Path]) -> None:
        """Writes a JSON file.

        Raises:
            DataError: It cannot be written.
        """
        attributes = {
            name: dict(
                lasting=bool(self.lasting[i]),
                agreement=plain(self.agreement[i]),
                prevalence=plain(self.prevalence[i]),
                **dict(zip(('own', 'others', 'offset'), map(plain, self.theta[i]))),
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
            stored = json.loads(Path(path).read_text(encoding='utf-8'))
            agreement, prevalence, *theta = (
                np.array([values[key] for values in stored['attributes'].values()], float)
                for key in ('agreement', 'prevalence', 'own', 'others', 'offset')
            )
            return cls(list(stored['attributes']), agreement, prevalence, np.stack(theta, 1), stored['checkpoint'])
        except OSError as error:
            raise DataError(f'{path} cannot be read ({error.strerror}): make it with tools/fit_album.py') from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f'{path} is not an album ({error!r}): make it with tools/fit_album.py') from error


def usable(agreement: np.ndarray, prevalence: np.ndarray, lasting: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Agreement and prevalence between 0 and 1, whatever they are where nothing is pooled."""
    return np.where(lasting, agreement, LASTING).clip(max=0.99), np.where(lasting, prevalence, 0.5)


def plain(value: np.generic) -> Optional[float]:
    """A number that JSON can hold; None for NaN."""
    return None if np.isnan(value) else round(float(value), 6)
