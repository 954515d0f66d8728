import os
import pickle
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from imcnn_plugin.checkpoints import load_file, register_safe_loaders, safe_loaders
from imcnn_plugin.checkpoints.safe_load import _empty_bytes, _history_buffer_method
from imcnn_plugin.errors import DataError
from imcnn_plugin.framework import checkpoint_loaders

KINDS = '?bBhHiIlLqQefdgFDGmM'


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
        Call(bytes, 10**12),
        Call(bytes, [1]),
        np.array([None]),
        np.array(['a'], 'U1'),
        np.array([b'a'], 'S1'),
        np.array(['a'], np.dtypes.StringDType()),
        np.zeros(2, 'V8'),
        np.zeros(2, [('a', 'O')]),
        np.zeros(2, [('a', 'f4')]),
        np.random.default_rng(0),
        np.ma.zeros(2),
        range(3),
        Fraction(1, 2),
    ],
    # Without addresses: the processes that share the suite must find the same names.
    ids=lambda payload: str(getattr(payload, 'call', type(payload).__name__)).split(' at 0x')[0],
)
def test_nothing_else_is_let_through(tmp_path, payload):
    torch.save(dict(payload=payload), tmp_path / 'a.pth')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'a.pth', weights_only=True)
    with pytest.raises(DataError, match='a.pth holds more than weights, numbers and histories: do not trust it'):
        load_file(tmp_path / 'a.pth')


@pytest.mark.parametrize('kind', KINDS)
def test_numbers_and_arrays_of_every_kind_load(tmp_path, kind):
    array = np.arange(6).astype(kind).reshape(2, 3)
    values = [array, array[0, 1], array[:0], array.T, array.astype(array.dtype.newbyteorder()), b'', b'\x00\xff']
    torch.save(values, tmp_path / 'a.pth')
    for found, value in zip(torch.load(tmp_path / 'a.pth', weights_only=True), values, strict=True):
        assert isinstance(found, np.ndarray) == isinstance(value, np.ndarray) and np.array_equal(found, value)
        assert type(found) is bytes if isinstance(value, bytes) else found.dtype == array.dtype


def test_kinds_are_all_of_numpy_but_those_of_objects_text_and_records():
    # The last four are other names for integers.
    assert set(KINDS) == set(np.typecodes['All']) - set('OSUV') - set('nNpP')


def test_stand_in_for_bytes_allocates_nothing():
    assert _empty_bytes() == b''
    with pytest.raises(pickle.UnpicklingError):
        _empty_bytes(10**12)


def test_files_are_read_although_others_have_emptied_the_list_of_safe_globals(tmp_path):
    torch.save(dict(history=HistoryBuffer([1.0], [1]), sigma=np.float32(2)), tmp_path / 'a.pth')
    before = torch.serialization.get_safe_globals()
    # As onedl-mmengine does, by leaving torch.serialization.safe_globals.
    torch.serialization.clear_safe_globals()
    try:
        assert load_file(tmp_path / 'a.pth')['sigma'] == 2
    finally:
        torch.serialization.add_safe_globals(before)


def test_loaders_are_those_of_before_afterwards(stock_loaders):
    before = checkpoint_loaders()
    with safe_loaders():
        inside = checkpoint_loaders()
        with safe_loaders():
            assert checkpoint_loaders() == inside
        assert checkpoint_loaders() == inside
        assert {key for key, loader in inside.items() if 'safe_load' in loader.__module__} == {
            '', 'http://', 'https://'
        }  # fmt: skip
        register_safe_loaders()
    assert checkpoint_loaders() == before


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
@pytest.mark.usefixtures('safe_loaders')
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


@pytest.mark.usefixtures('safe_loaders')
def test_an_honest_file_is_loaded_from_a_path_and_a_url(tmp_path, server):
    torch.save(dict(state_dict=dict(weight=torch.arange(3)), history=HistoryBuffer([1.0], [1])), tmp_path / 'a.pth')
    for place in (str(tmp_path / 'a.pth'), f'{server}/a.pth'):
        loaded = CheckpointLoader.load_checkpoint(place, map_location='cpu')
        assert loaded['state_dict']['weight'].tolist() == [0, 1, 2] and loaded['history'].current() == 1
    with pytest.raises(DataError, match='b.pth cannot be downloaded .*404.*: .*backbone.init_cfg.checkpoint=FILE'):
        CheckpointLoader.load_checkpoint(f'{server}/b.pth')
    with pytest.raises(FileNotFoundError, match='b.pth can not be found'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'b.pth'))
