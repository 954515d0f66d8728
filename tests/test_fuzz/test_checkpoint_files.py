"""Checkpoints: what is read is what was written, or the file is refused by name; nothing in one is run."""

import copy
import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.runner import CheckpointLoader

from imcnn_plugin.apis.inferencer import FaceAttributeInferencer
from imcnn_plugin.checkpoints.load_model import load_model
from imcnn_plugin.checkpoints.read_checkpoint import read_checkpoint
from imcnn_plugin.engine import load_config
from imcnn_plugin.errors import IMCNNError

pytestmark = pytest.mark.usefixtures('safe_loaders')
FUZZ = settings.get_profile('fuzz')
TIMES = FUZZ.max_examples
CONFIG = Path(__file__).parents[2] / 'configs' / 'attr_net_celeba_mini.py'
FACES = np.random.default_rng(0).integers(0, 256, (2, 12, 10, 3), np.uint8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    | st.sampled_from([torch.zeros(2), torch.full((40,), torch.nan), torch.full((40,), -1.0), np.float64(1), 1j]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip


class Written:
    """A checkpoint's contents, its file's bytes, and a place for others."""

    def __init__(self, folder):
        self.whole = read_checkpoint(folder / 'whole.pth').content
        self.content = (folder / 'whole.pth').read_bytes()
        self.path = folder / 'changed.pth'

    def __iter__(self):
        return iter((self.whole, self.content, self.path))


class Call:
    """Pickled, it asks for a call."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """The checkpoint of a tiny network."""
    cfg = load_config(CONFIG)
    cfg.model.data_preprocessor.crop_size = 16
    cfg.model.backbone.width = 1 / 64
    cfg.model.head.attr_head.update(in_channels=48, in_size=None, hidden_dims=(2,))
    for name in ('train', 'val', 'test'):
        cfg[f'{name}_dataloader'].dataset.pipeline[1].scale = (16, 16)
    folder = tmp_path_factory.mktemp('checkpoints')
    torch.manual_seed(0)
    from mmpretrain import get_model

    model = get_model(cfg)
    checkpoint = dict(meta=dict(cfg=cfg.pretty_text, epoch=1, iter=3), state_dict=model.state_dict())
    torch.save(checkpoint, folder / 'whole.pth')
    return Written(folder)


def assert_same(one, other):
    assert one['meta'] == other['meta'] and one['state_dict'].keys() == other['state_dict'].keys()
    for key, value in one['state_dict'].items():
        assert torch.equal(value, other['state_dict'][key]), key


def predict(path):
    """Probabilities of two faces, which must be some."""
    inferencer = FaceAttributeInferencer(path, device='cpu')
    faces = [result['faces'][0]['attributes'] for result in inferencer(list(FACES), aligned=True)]
    probabilities = np.array([[value['probability'] for value in face.values()] for face in faces])
    assert probabilities.shape[0] == 2 and ((probabilities >= 0) & (probabilities <= 1)).all()
    return probabilities


@settings(FUZZ, max_examples=50 * TIMES)
@given(data=st.data())
def test_bytes_of_a_checkpoint(written, mutate, attempt, data):
    whole, content, path = written
    path.unlink(missing_ok=True)
    path.write_bytes(mutate(data, content))
    if (found := attempt(path, read_checkpoint, str(path))) is not None:
        assert_same(found.content, whole)
    if (found := attempt(path, CheckpointLoader.load_checkpoint, str(path))) is not None:
        assert_same(found, whole)


@settings(FUZZ, max_examples=20 * TIMES)
@given(key=st.sampled_from(['', 'meta', 'state_dict', 'cfg', 'weight', 'new', 'less']), value=VALUES)
def test_other_contents(written, attempt, key, value):
    whole, _, path = written
    changed = dict(meta=dict(whole['meta']), state_dict=dict(whole['state_dict']))
    if key == '':
        changed = value
    elif key == 'cfg':
        changed['meta']['cfg'] = value
    elif key == 'weight':
        changed['state_dict']['head.attr_head.temperature'] = value
    elif key == 'new':
        changed['state_dict'][str(value)] = value
    elif key == 'less':
        del changed['state_dict']['head.attr_head.banks.0.fc.weight']
    else:
        changed[key] = value
    path.unlink(missing_ok=True)
    torch.save(changed, path)
    attempt(path, CheckpointLoader.load_checkpoint, str(path))
    assert attempt(path, load_model, path) is None


@pytest.mark.parametrize(
    'name, value', [('temperature', 0), ('thresholds', torch.nan), ('banks.0.fc.weight', torch.inf)]
)
def test_numbers_that_predict_nothing(written, attempt, name, value):
    whole, _, path = written
    weights = dict(whole['state_dict'])
    weights[f'head.attr_head.{name}'] = torch.full_like(weights[f'head.attr_head.{name}'], value)
    path.unlink(missing_ok=True)
    torch.save(dict(whole, state_dict=weights), path)
    assert attempt(path, load_model, path) is None


def rezipped(content, change):
    """The same file, with right checksums, with its pickle changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, 'w') as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name.endswith('data.pkl') else old.read(name))
    return buffer.getvalue()


@settings(FUZZ, max_examples=30 * TIMES)
@given(data=st.data())
def test_a_pickle_that_was_tampered_with(written, mutate, attempt, data):
    """Whatever it holds then: it is read without harm, or refused."""
    _, content, path = written
    path.unlink(missing_ok=True)
    path.write_bytes(rezipped(content, lambda pickled: mutate(data, pickled)))
    attempt(path, CheckpointLoader.load_checkpoint, str(path))
    attempt(path, read_checkpoint, path)


@settings(FUZZ, max_examples=20 * TIMES)
@given(
    function=st.sampled_from(
        [os.mkdir, os.makedirs, os.system, os.popen, exec, eval, open, __import__, getattr, Path]
    ),
    place=st.sampled_from(['whole', 'meta', 'cfg', 'state_dict', 'weight', 'key', 'optimizer', 'config']),
    form=st.sampled_from(['zip', 'before torch 1.6', 'pickle']),
)
def test_nothing_is_run(written, attempt, function, place, form):
    whole, _, path = written
    ran = path.with_name('ran')
    program = f'__import__("os").mkdir({str(ran)!r})'
    arguments = {exec: [program], eval: [program], os.system: [f'mkdir {ran}'], os.popen: [f'mkdir {ran}'],
                 open: [str(ran), 'w'], getattr: [Path, 'mkdir'], __import__: ['antigravity']}  # fmt: skip
    call = Call(function, *arguments.get(function, [str(ran)]))
    changed = dict(meta=dict(whole['meta']), state_dict=dict(whole['state_dict']))
    if place == 'whole':
        changed = call
    elif place == 'cfg':
        changed['meta']['cfg'] = call
    elif place == 'weight':
        changed['state_dict'][next(iter(changed['state_dict']))] = call
    elif place == 'key':
        changed['state_dict'][call] = 1
    elif place == 'config':
        # mmengine's Runner.resume runs this text.
        changed['meta']['config'] = program
    else:
        changed[place] = call
    path.unlink(missing_ok=True)
    if form == 'pickle':
        path.write_bytes(pickle.dumps(changed, protocol=2))
    else:
        torch.save(changed, path, _use_new_zipfile_serialization=form == 'zip')
    loaded = attempt(path, CheckpointLoader.load_checkpoint, str(path))
    assert loaded is None or (place == 'config' and 'config' not in loaded['meta'])
    for read in (read_checkpoint, load_model):
        attempt(path, read, path)
    assert not ran.exists()


# What replaces a piece of a config.
EDITS = {
    'model = ': ['mode = '],
    'width=0.015625': ["width='x'", 'width=-1', 'w=1'],
    "'Male',": ["'Mole',", '', "'Male', 'Male',"],
    'in_channels=48': ['in_channels=47', "in_channels='48'"],
    'num_slices=6': ['num_slices=5', "num_slices='6'"],
    'slice=0': ['slice=9', "slice='a'"],
    "type='GroupedMultiLabelHead'": ["type='LinearClsHead'", "type='No'", 'type=1'],
    "type='ImageClassifier'": ["type='IMCNN'", "type='os.system'"],
    'groups=[': ['groups=[1, ', 'groups=[dict(),'],
    "type='Resize'": ["type='No'", "typ='Resize'"],
    'scale=(': ['no=('],
    'test_dataloader = ': ['other = '],
    'pipeline=[': ['pipeline=[1, '],
    'hidden_dims=(': ['hidden_dims=(-1, '],
    'imports=[': [
        "imports=['no_such_module', ",
        "imports=['', ",
        "imports=['.x', ",
        'imports=[1, ',
        'more=1, imports=[',
    ],
    'custom_imports = dict(': ['custom_imports = list('],
    'head=dict(': ['head=None, tail=dict('],
    'backbone=dict(': ['backbone=None, spine=dict('],
    'crop_size=16': ['crop_size=99', "mean='a'", 'no=1'],
}


@settings(FUZZ, max_examples=20 * TIMES)
@given(edits=st.lists(st.sampled_from([(old, new) for old in EDITS for new in EDITS[old]]), min_size=1, max_size=2))
def test_another_config_in_it(written, attempt, edits):
    whole, content, path = written
    changed = copy.copy(whole)
    text = changed['meta']['cfg']
    for old, new in edits:
        assert old in whole['meta']['cfg']
        text = text.replace(old, new)
    changed['meta'] = dict(changed['meta'], cfg=text)
    path.unlink(missing_ok=True)
    torch.save(changed, path)
    try:
        probabilities = predict(path)
    except IMCNNError as error:
        assert '\n' not in str(error), error
        return
    path.write_bytes(content)
    assert np.allclose(probabilities, predict(path))
