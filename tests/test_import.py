"""What ``import imcnn_plugin`` leaves in another project's process: registered parts and safe globals, no more."""

import json

import pytest
from commands import REPOSITORY, run

SCRIPT = REPOSITORY / 'tests' / 'stock_run.py'


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """The same stock run without and with the import."""
    folder = tmp_path_factory.mktemp('runs')
    # torch alone would not read what these datasets have in their METAINFO.
    run(SCRIPT, folder / 'work', folder / 'without.json', TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD='1')
    run(SCRIPT, folder / 'work', folder / 'with.json', 'imcnn_plugin')
    return [json.loads((folder / f'{name}.json').read_text()) for name in ('without', 'with')]


@pytest.mark.parametrize('what', ['loaders', 'weights', 'losses', 'meta'])
def test_a_stock_run_is_the_same(runs, what):
    without, with_import = runs
    assert len(without['losses']) == 8 and 'numpy.float32' in without['meta']['sigma']
    assert with_import[what] == without[what]


def test_warnings_are_filtered_as_the_frameworks_ask(runs):
    without, with_import = map(set, (found['filters'] for found in runs))
    # Some of torch and NumPy, and none of ours.
    assert len(without) > 5 and not without - with_import
    assert not [item for item in with_import if 'Fail to import' in item]


def test_standard_output_is_neither_used_nor_replaced():
    # The forks of mmpretrain write to it themselves when they are imported.
    code = """
import sys
import mmpretrain.datasets

class Untouchable:
    def __getattribute__(self, name):
        raise AssertionError(name)

class Watch:
    def find_spec(self, name, path=None, target=None):
        assert sys.stdout is untouchable, name

sys.stdout = untouchable = Untouchable()
sys.meta_path.insert(0, Watch())
import imcnn_plugin
assert sys.stdout is untouchable and 'imcnn_plugin.models' in sys.modules
sys.stdout = sys.__stdout__
"""
    run('-c', code)
