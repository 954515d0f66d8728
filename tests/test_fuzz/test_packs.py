"""Packs: what is opened holds what was packed, or the file is rejected by name."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imcnn_plugin.datasets import PackedFaces, verify_pack, write_pack
from imcnn_plugin.datasets.pack_format import ARRAYS, HEADER, IMAGES, KEYS

FUZZ = settings.get_profile('fuzz')
TIMES = FUZZ.max_examples
PIPELINE = [
    dict(type='LoadFaceFromFile'),
    dict(type='Resize', scale=(4, 4), interpolation='area'),
    dict(type='PackInputs'),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope='module')
def packs(faces, tmp_path_factory):
    """A pack, and a copy of it to be damaged."""
    folder = tmp_path_factory.mktemp('packs')
    write_pack(faces, folder / 'whole', size=4, jobs=1)
    shutil.copytree(folder / 'whole', folder / 'damaged')
    return folder / 'whole', folder / 'damaged'


@pytest.fixture(scope='module')
def whole(packs):
    return PackedFaces(str(packs[0]), pipeline=PIPELINE)


def check(pack, whole, attempt):
    """The labels are those that were packed; so are the images, or a look at all bytes finds out."""
    dataset = attempt(pack, PackedFaces, str(pack), pipeline=PIPELINE)
    if dataset is None:
        return
    for field in ('names', 'gt_score', 'gt_identity', 'identity'):
        assert np.array_equal(getattr(dataset.data_list, field), getattr(whole.data_list, field))
    batch, expected = (data.__getitems__(range(len(whole)))['inputs'] for data in (dataset, whole))
    if not np.array_equal(batch, expected):
        assert attempt(pack, verify_pack, pack) is None


@settings(FUZZ, max_examples=40 * TIMES)
@given(name=st.sampled_from([HEADER, IMAGES, *ARRAYS]), data=st.data())
def test_bytes_of_a_pack(packs, whole, mutate, attempt, name, data):
    content = (packs[0] / name).read_bytes()
    try:
        (packs[1] / name).write_bytes(mutate(data, content))
        check(packs[1], whole, attempt)
    finally:
        (packs[1] / name).write_bytes(content)


@settings(FUZZ, max_examples=40 * TIMES)
@given(
    key=st.sampled_from(sorted(KEYS)), value=JSON, inner=st.sampled_from([None, 'backend', 'interpolation', IMAGES])
)
def test_values_of_a_header(packs, whole, attempt, key, value, inner):
    text = (packs[0] / HEADER).read_text()
    header = json.loads(text)
    if inner and isinstance(header[key], dict):
        header[key][inner] = value
    else:
        header[key] = value
    try:
        (packs[1] / HEADER).write_text(json.dumps(header))
        check(packs[1], whole, attempt)
    finally:
        (packs[1] / HEADER).write_text(text)
