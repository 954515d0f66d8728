import cv2
import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES
from imcnn_plugin.synthetic.draw_face import _draw_face
from imcnn_plugin.synthetic.sampling import _sample_identity

FACIAL_HAIR = ['5_o_Clock_Shadow', 'Goatee', 'Mustache', 'Sideburns']
# A plain woman and man; each test adds one attribute.
WOMAN = dict.fromkeys(ATTRIBUTES, False) | dict(No_Beard=True)
MAN = WOMAN | dict(Male=True)


@pytest.mark.parametrize('name', ATTRIBUTES)
def test_every_attribute_is_visible(name):
    traits, _ = _sample_identity(0, 1)
    plain = MAN if name in FACIAL_HAIR or name == 'No_Beard' else WOMAN
    images = []
    for value in (False, True):
        image = _draw_face(traits, plain | {name: value}, np.random.default_rng(0))
        images.append(cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA).astype(int))
    change = np.abs(images[1] - images[0]).max(axis=2)
    assert (change > 25).sum() >= 10


def test_attributes_do_not_change_the_surroundings():
    traits, _ = _sample_identity(0, 1)
    plain, smiling = (
        _draw_face(traits, WOMAN | dict(Smiling=value), np.random.default_rng(0)) for value in (False, True)
    )
    assert np.array_equal(plain[:100], smiling[:100])
