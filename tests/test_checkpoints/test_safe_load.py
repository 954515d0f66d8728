import os
import pickle
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from imcnn_plugin.checkpoints.safe_load import _history_buffer_method
from imcnn_plugin.errors import DataError


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
    assert _history_buffer_method(HistoryBuffer, 'mean') is HistoryBuffer.mean
    with pytest.raises(pickle.UnpicklingError, match='do not trust it'):
        _history_buffer_method(HistoryBuffer([1], [1]), 'mean')


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The URL of a folder, from which nothing is kept outside of it."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def write_pickle(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


def read_pickle(path):
    return pickle.loads(path.read_bytes())


@pytest.mark.parametrize(
    'write, read',
    [
        (torch.save, partial(torch.load, weights_only=False)),
        (partial(torch.save, _use_new_zipfile_serialization=False), partial(torch.load, weights_only=False)),
        (write_pickle, read_pickle),
    ],
    ids=['zip', 'before torch 1.6', 'pickle'],
)
def test_loading_a_hostile_file_runs_nothing(tmp_path, server, write, read):
    path = tmp_path / 'a.pth'
    write(dict(meta=Call(os.system, f'touch {tmp_path}/ran'), state_dict=dict()), path)
    for place in (str(path), f'{server}/a.pth'):
        with pytest.raises(DataError, match='a.pth holds more than .*: do not trust it'):
            CheckpointLoader.load_checkpoint(place)
        assert not (tmp_path / 'ran').exists()
    # Whoever trusts it, runs it.
    read(path)
    assert (tmp_path / 'ran').exists()


def test_an_honest_file_is_loaded_from_a_path_and_a_url(tmp_path, server):
    torch.save(dict(state_dict=dict(weight=torch.arange(3)), history=HistoryBuffer([1.0], [1])), tmp_path / 'a.pth')
    for place in (str(tmp_path / 'a.pth'), f'{server}/a.pth'):
        loaded = CheckpointLoader.load_checkpoint(place, map_location='cpu')
        assert loaded['state_dict']['weight'].tolist() == [0, 1, 2] and loaded['history'].current() == 1
    with pytest.raises(DataError, match='b.pth cannot be downloaded .*404.*: .*backbone.init_cfg.checkpoint=FILE'):
        CheckpointLoader.load_checkpoint(f'{server}/b.pth')
    with pytest.raises(FileNotFoundError, match='b.pth can not be found'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'b.pth'))
