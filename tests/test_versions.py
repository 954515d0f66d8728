import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from imcnn_plugin import versions

REPOSITORY = Path(__file__).resolve().parents[1]
FORKS = {'mmengine': 'onedl-mmengine', 'mmcv-lite': 'onedl-mmcv', 'mmpretrain': 'onedl-mmpretrain'}


def test_ranges_are_those_of_pyproject():
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    wanted = [*project['dependencies'], *project['optional-dependencies']['lite']]
    assert set(map(Requirement, wanted)) == set(map(Requirement, versions.DEPENDENCIES.values()))
    # mmpretrain imports it and asserts its version, in other words.
    names = list(versions.DEPENDENCIES)
    assert names.index('mmcv') < names.index('mmpretrain')


def test_pip_leaves_the_mmcv_and_the_opencv_of_other_projects_alone():
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    names = {Requirement(item).name for item in project['dependencies']}
    assert not names & {*versions.DISTRIBUTIONS['mmcv'], *versions.DISTRIBUTIONS['cv2']}


@pytest.mark.parametrize('lock', ['requirements.txt', 'requirements-onedl.txt'])
def test_the_tested_set_is_within_the_ranges_and_holds_every_extra(lock):
    lines = [line for name in (lock, 'requirements-dev.txt') for line in (REPOSITORY / name).read_text().splitlines()]
    items = [Requirement(line) for line in lines if '==' in line]
    pinned = {item.name.lower(): str(item.specifier).removeprefix('==') for item in items}
    for stock, fork in FORKS.items():
        assert (fork if 'onedl' in lock else stock) in pinned and (stock if 'onedl' in lock else fork) not in pinned
        pinned[stock] = pinned.pop(stock, None) or pinned[fork]
    # The headless one stands in for it, as it needs no libGL.
    assert 'opencv-python' not in pinned
    pinned['opencv-python'] = pinned.pop('opencv-python-headless')
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    wanted = [
        *project['dependencies'],
        *(item for extra in project['optional-dependencies'].values() for item in extra),
    ]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[requirement.name]), requirement


@pytest.mark.parametrize(
    'name, dependency, message',
    [
        ('numpy', 'numpy<1', f"imcnn_plugin does not support numpy {np.__version__}: pip install 'numpy<1'"),
        ('no_such_package', 'none>=1', "needs no_such_package, which is not installed: pip install 'none>=1'"),
        ('broken_one', 'one', 'broken_one is installed but cannot be imported (No module named'),
        ('broken_two', 'two', 'replace opencv-python by opencv-python-headless'),
    ],
)
def test_says_what_to_do(monkeypatch, tmp_path, name, dependency, message):
    (tmp_path / 'broken_one.py').write_text('import no_such_package')
    (tmp_path / 'broken_two.py').write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(versions, 'DEPENDENCIES', {name: dependency})
    with pytest.raises(ImportError) as error:
        versions.check_versions()
    assert message in str(error.value) and '\n' not in str(error.value)


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Lets distributions of these names be installed."""

    def install(*names):
        for name in names:
            folder = tmp_path / f'{name.replace("-", "_")}-1.0.dist-info'
            folder.mkdir()
            (folder / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n')

    monkeypatch.syspath_prepend(tmp_path)
    return install


def test_a_package_and_its_fork_are_not_both_installed(install):
    install('mmengine', 'onedl-mmengine')
    with pytest.raises(ImportError, match='mmengine and onedl-mmengine are both installed and overwrite each other'):
        versions.check_versions()


def test_says_what_to_do_with_the_fork_that_is_installed(install, monkeypatch):
    install('fork-of-numpy')
    monkeypatch.setattr(versions, 'DEPENDENCIES', dict(numpy='numpy<1'))
    monkeypatch.setattr(versions, 'DISTRIBUTIONS', dict(numpy=('no-such-numpy', 'fork-of-numpy')))
    with pytest.raises(ImportError, match="does not support numpy .*: pip install 'fork-of-numpy<1'"):
        versions.check_versions()
