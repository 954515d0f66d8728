import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from imcnn_plugin import versions

REPOSITORY = Path(__file__).resolve().parents[1]


def test_ranges_are_those_of_pyproject():
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    declared = {
        item.name.replace('mmcv-lite', 'mmcv'): item.specifier for item in map(Requirement, project['dependencies'])
    }
    declared.pop('pillow')
    assert declared == {
        name: Requirement(name + supported).specifier for name, supported in versions.SUPPORTED.items()
    }


def test_the_tested_set_is_within_the_ranges_and_holds_every_extra():
    lines = (REPOSITORY / 'requirements.txt').read_text().splitlines()
    pinned = dict(line.split('==') for line in lines if '==' in line)
    project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())['project']
    wanted = [
        *project['dependencies'],
        *(item for extra in project['optional-dependencies'].values() for item in extra),
    ]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pinned[requirement.name]), requirement
    assert 'opencv-python' not in pinned


@pytest.mark.parametrize(
    'name, supported, message',
    [
        ('numpy', '<1', f"imcnn_plugin needs numpy <1, found {np.__version__}: pip install 'numpy<1'"),
        (
            'no_such_package',
            '>=1',
            "needs no_such_package >=1, which is not installed: pip install 'no_such_package>=1'",
        ),
    ],
)
def test_says_what_to_install(monkeypatch, name, supported, message):
    monkeypatch.setattr(versions, 'SUPPORTED', {name: supported})
    with pytest.raises(ImportError) as error:
        versions.check_versions()
    assert message in str(error.value)
