import numpy as np
import pytest


@pytest.fixture
def predictions():
    """Scores and targets, with ties, also at the threshold, and unknown labels."""
    rng = np.random.default_rng(0)
    scores = rng.random((200, 5)).round(1)
    targets = (rng.random((200, 5)) < [0.1, 0.3, 0.5, 0.7, 0.9]).astype(np.int8)
    targets[rng.random((200, 5)) < 0.2] = -1
    return scores, targets


@pytest.fixture(scope='session')
def draw_labels():
    """A function that draws labels whose share in each identity has a Beta distribution."""

    def draw(rng, identities, images, agreement, prevalence):
        """Labels ``(images * identities, L)`` and their identities."""
        strength = 1 / agreement - 1
        share = rng.beta(prevalence * strength, (1 - prevalence) * strength, (identities, len(prevalence)))
        labels = rng.random((images * identities, len(prevalence))) < np.tile(share, (images, 1))
        return labels.astype(int), np.tile(np.arange(identities), images)

    return draw
