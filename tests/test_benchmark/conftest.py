import pytest
from benchlib.loop_cost import TINY

from imcnn_plugin.datasets.packing import write_pack


@pytest.fixture(scope='session')
def packs(faces, tmp_path_factory):
    """The drawn faces packed, by side."""
    folder = tmp_path_factory.mktemp('packs')
    return {size: write_pack(faces, folder / str(size), size).path for size in (32, TINY.size)}
