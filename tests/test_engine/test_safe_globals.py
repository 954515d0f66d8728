import pickle

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from imcnn_plugin.engine.safe_globals import history_buffer_method


def test_a_checkpoint_with_histories_loads_with_weights_only(tmp_path):
    buffer = HistoryBuffer([1.0, 3.0], [1, 1])
    torch.save(dict(buffer=buffer, number=np.float64(2.5), array=np.arange(3)), tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert loaded['buffer'].mean() == 2.0 and loaded['buffer'].statistics('max') == 3.0
    assert loaded['number'] == 2.5 and loaded['array'].tolist() == [0, 1, 2]


class Call:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'payload',
    [
        Call(getattr, HistoryBuffer, '__init__'),
        Call(getattr, np.ndarray, 'tofile'),
        Call(getattr, dict, 'mean'),
        Call(eval, '1 + 1'),
    ],
)
def test_nothing_else_is_let_through(tmp_path, payload):
    torch.save(dict(payload=payload), tmp_path / 'a.pth')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'a.pth', weights_only=True)


def test_stand_in_for_getattr_answers_for_a_history_alone():
    assert history_buffer_method(HistoryBuffer, 'mean') is HistoryBuffer.mean
    with pytest.raises(pickle.UnpicklingError, match='do not trust it'):
        history_buffer_method(HistoryBuffer([1], [1]), 'mean')
