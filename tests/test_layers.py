"""The rooms of the package: which imports which, and what is public."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'imcnn_plugin'
# From the ground up: each room imports only from those before it.
ROOMS = (
    'attributes',
    'errors',
    'files',
    'framework',
    'signals',
    'parallel',
    'progress',
    'tables',
    'label_conflicts',
    'templates',
    'versions',
    'models',
    'evaluation',
    'datasets',
    'synthetic',
    'datachecks',
    'checkpoints',
    'engine',
    'paper',
    'experiments',
    'visualization',
    'apis',
    'deployment',
    'reports',
)
MODULES = sorted(path for path in PACKAGE.rglob('*.py') if path.parent != PACKAGE or not path.stem.startswith('__'))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imports(path):
    """Absolute modules and the names taken from them, of this package, wherever in the file."""
    package = ['imcnn_plugin', *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = '.'.join([*base, *filter(None, [node.module])])
            if module.split('.')[0] == 'imcnn_plugin':
                yield module, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names if alias.name.split('.')[0] == 'imcnn_plugin')


def other_rooms(path):
    """Rooms that a module imports from, with the names that it takes."""
    for module, names in imports(path):
        parts = module.split('.')
        if len(parts) > 1:
            yield parts[1], names
        else:
            yield from ((name, []) for name in names if name != '__version__')


def test_every_room_has_its_place():
    found = {room_of(path) for path in MODULES}
    assert found == set(ROOMS)


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_from_a_higher_room(path):
    own = ROOMS.index(room_of(path))
    assert [room for room, _ in other_rooms(path) if ROOMS.index(room) > own] == []


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_a_room_takes_from_another_is_public(path):
    for room, names in other_rooms(path):
        if room != room_of(path):
            public = import_module(f'imcnn_plugin.{room}').__all__
            assert [name for name in names if name not in public] == [], f'not in __all__ of {room}'


def definitions(room):
    """Classes and functions that a room's modules define without an underscore, by name."""
    for path in MODULES:
        if room_of(path) == room and path.name != '__init__.py':
            name = '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts)
            import_module(name)
            for key, value in vars(sys.modules[name]).items():
                if (
                    not key.startswith('_')
                    and getattr(value, '__module__', None) == name
                    and (inspect.isclass(value) or inspect.isfunction(value))
                ):
                    yield key, value


@pytest.mark.parametrize('room', ROOMS)
def test_public_names_are_in_all_and_documented(room):
    public = import_module(f'imcnn_plugin.{room}').__all__
    found = dict(definitions(room))
    assert sorted(set(found) - set(public)) == [], f'not in __all__ of {room}: export it, or give it an underscore'
    assert [name for name in public if not hasattr(import_module(f'imcnn_plugin.{room}'), name)] == []
    undocumented = [name for name, value in found.items() if not value.__doc__]
    for name, value in found.items():
        if inspect.isclass(value):
            undocumented += [
                f'{name}.{key}'
                for key, method in vars(value).items()
                if not key.startswith('_')
                and callable(getattr(method, 'fget', None) or getattr(method, '__func__', method))
                and not inspect.isclass(method)
                and not inspect.getdoc(getattr(method, 'fget', None) or getattr(value, key))
            ]
    assert undocumented == []


def test_no_file_is_long():
    lines = {
        path.relative_to(PACKAGE): len(path.read_text().splitlines())
        for path in PACKAGE.rglob('*.*')
        if path.suffix not in ('.pyc', '.onnx')
    }
    assert {path: number for path, number in lines.items() if number > 300} == {}


def test_predictions_need_neither_figures_nor_the_rooms_above():
    code = (
        'import sys\n'
        'from imcnn_plugin.apis import FaceAttributeInferencer\n'
        f'above = {ROOMS[ROOMS.index("apis") + 1 :]}\n'
        'loaded = [name for name in sys.modules if name.split(".")[0] in ("matplotlib", "gradio")]\n'
        'rooms = [["imcnn_plugin", room] for room in above]\n'
        'loaded += [name for name in sys.modules if name.split(".")[:2] in rooms]\n'
        'print(loaded)\n'
    )
    printed = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == '[]'
