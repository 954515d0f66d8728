from types import SimpleNamespace

import pytest
from torch import nn

from imcnn_plugin.engine.data_model_check_hook import _check_identities, _match_classes
from imcnn_plugin.errors import ConfigError


def fit(metainfo, **attributes):
    model = nn.Sequential()
    model.head = nn.Linear(1, 1)
    for name, value in attributes.items():
        setattr(model.head, name, value)
    _match_classes(model, SimpleNamespace(metainfo=metainfo))
    _check_identities(model, metainfo)


def test_what_fits_passes():
    fit(dict(classes=('a', 'b'), num_identities=5), classes=['a', 'b'], num_identities=5)
    # Another project's dataset need not say either.
    fit({}, classes=['a', 'b'], num_identities=5)


def test_classes_in_another_order_are_refused():
    with pytest.raises(ConfigError, match=r"model.head.classes .* write classes=\['a', 'b'\]"):
        fit(dict(classes=('a', 'b')), classes=['b', 'a'])


def test_another_number_of_identities_is_refused():
    with pytest.raises(ConfigError, match='--cfg-options model.head.num_identities=5'):
        fit(dict(num_identities=5), num_identities=8192)
