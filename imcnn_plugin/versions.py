from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from typing import List

from packaging.requirements import Requirement

# The dependencies of pyproject.toml, by the names under which they are imported.
DEPENDENCIES = dict(
    torch='torch>=2.6,<3',
    torchvision='torchvision>=0.21,<1',
    mmengine='mmengine>=0.10.7,<1',
    mmcv='mmcv-lite>=2.2,<2.4',
    mmpretrain='mmpretrain>=1.2,<2',
    numpy='numpy>=2.0,<3',
    PIL='pillow>=10.1',
    packaging='packaging>=23',
)
# Of these, one must be installed; two under one import name overwrite each other's files.
DISTRIBUTIONS = dict(
    mmengine=('mmengine', 'onedl-mmengine'),
    mmcv=('mmcv-lite', 'mmcv', 'onedl-mmcv'),
    mmpretrain=('mmpretrain', 'onedl-mmpretrain'),
)


def check_versions() -> None:
    """Checks that what this package builds on is there, in a supported version.

    Raises:
        ImportError: Says which package is missing, broken, installed twice or of which version, and what to do.
    """
    for name, dependency in DEPENDENCIES.items():
        found = installed(DISTRIBUTIONS.get(name, ()))
        if len(found) > 1:
            raise ImportError(
                f'{" and ".join(found)} are both installed and overwrite each other: pip uninstall {" ".join(found)}, '
                'then install one of them anew'
            )
        if found:
            dependency = found[0] + str(Requirement(dependency).specifier)
        try:
            version = import_module(name).__version__
        except ModuleNotFoundError as error:
            if error.name == name:
                raise ImportError(
                    f"imcnn_plugin needs {name}, which is not installed: pip install '{dependency}'"
                ) from None
            raise broken(name, dependency, error) from error
        except (ImportError, OSError, RuntimeError) as error:
            raise broken(name, dependency, error) from error
        if not Requirement(dependency).specifier.contains(version, prereleases=True):
            raise ImportError(f"imcnn_plugin does not support {name} {version}: pip install '{dependency}'")


def installed(names) -> List[str]:
    found = []
    for name in names:
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        found.append(name)
    return found


def broken(name: str, dependency: str, error: Exception) -> ImportError:
    if 'libGL' in str(error):
        todo = 'put opencv-python-headless in place of opencv-python'
    else:
        todo = f"install it anew, with all it needs: pip install --force-reinstall '{dependency}'"
    return ImportError(f'{name} is installed but cannot be imported ({error}): {todo}')
