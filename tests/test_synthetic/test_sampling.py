import numpy as np
import pytest

from imcnn_plugin.attributes import ATTRIBUTES, IDENTITY_STABLE
from imcnn_plugin.synthetic.sampling import _sample_labels

HAIR_COLORS = ['Black_Hair', 'Blond_Hair', 'Brown_Hair', 'Gray_Hair']
FACIAL_HAIR = ['5_o_Clock_Shadow', 'Goatee', 'Mustache', 'Sideburns']


@pytest.fixture(scope='module')
def labels():
    """Bool array (200 identities, 20 images, 40) as a dict of (200, 20) arrays."""
    return dict(zip(ATTRIBUTES, np.moveaxis(_sample_labels(200, 20, seed=0), 2, 0)))


def test_every_attribute_is_neither_rare_nor_near_universal(labels):
    for name, values in labels.items():
        assert 0.08 <= values.mean() <= 0.92, name


def test_identity_stable_attributes(labels):
    for name, values in labels.items():
        constant = (values == values[:, :1]).all()
        assert constant == (name in IDENTITY_STABLE), name


def test_exclusions(labels):
    colors = sum(labels[name].astype(int) for name in HAIR_COLORS)
    facial_hair = np.any([labels[name] for name in FACIAL_HAIR], axis=0)
    assert colors.max() == 1
    for name in ['Bangs', 'Receding_Hairline', 'Straight_Hair', 'Wavy_Hair', *HAIR_COLORS]:
        assert not (labels['Bald'] & labels[name]).any(), name
    assert not (labels['Straight_Hair'] & labels['Wavy_Hair']).any()
    assert not (labels['Bangs'] & labels['Receding_Hairline']).any()
    assert not (labels['No_Beard'] & facial_hair).any()
    assert not (~labels['No_Beard'] & ~labels['Male']).any()
