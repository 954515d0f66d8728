from importlib import import_module, metadata
from typing import Dict

from packaging.requirements import Requirement

__all__ = ['check_versions']

# Distributions whose import name differs.
_IMPORT_NAMES = {'mmcv-lite': 'mmcv', 'opencv-python': 'cv2', 'pillow': 'PIL'}
# Imported only when they are used, so only their metadata is checked.
_LAZY = {'matplotlib', 'jinja2', 'markupsafe'}
# Import names, and the distributions that provide them.
DISTRIBUTIONS = dict(
    mmengine=('mmengine', 'onedl-mmengine'),
    mmcv=('mmcv-lite', 'mmcv', 'onedl-mmcv'),
    mmpretrain=('mmpretrain', 'onedl-mmpretrain'),
    cv2=('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless'),
)


def _read_dependencies() -> Dict[str, str]:
    """The requirements in this package's metadata by import name; empty if the package is not installed.

    Includes those of the extra ``lite``, since another distribution may provide the same import name.
    """
    try:
        requirements = [Requirement(item) for item in metadata.requires('imcnn_plugin') or ()]
    except metadata.PackageNotFoundError:
        return {}
    # mmpretrain imports mmcv and asserts its version, so check it last.
    requirements.sort(key=lambda item: item.name == 'mmpretrain')
    return {
        _IMPORT_NAMES.get(item.name, item.name): f'{item.name}{item.specifier}'
        for item in requirements
        if item.marker is None or item.marker.evaluate(dict(extra='lite'))
    }


DEPENDENCIES = _read_dependencies()


def check_versions() -> None:
    """Checks that supported versions of all required packages are installed.

    Raises:
        ImportError: A package is missing, broken, installed twice or unsupported; the message says what to do.
    """
    for name, dependency in DEPENDENCIES.items():
        names = DISTRIBUTIONS.get(name, (Requirement(dependency).name,))
        found = [each for each in names if any(metadata.distributions(name=each))]
        if len(found) > 1:
            raise ImportError(
                f'{" and ".join(found)} are both installed and overwrite each other: pip uninstall {" ".join(found)}, '
                'then install one of them again'
            )
        if found:
            dependency = found[0] + str(Requirement(dependency).specifier)
        try:
            module = None if found and name in _LAZY else import_module(name)
        except ModuleNotFoundError as error:
            if error.name == name:
                raise ImportError(
                    f"imcnn_plugin needs {name}, which is not installed: pip install '{dependency}'"
                ) from None
            raise _broken(name, dependency, error) from error
        except (ImportError, OSError, RuntimeError) as error:
            raise _broken(name, dependency, error) from error
        version = metadata.version(found[0]) if found else module.__version__
        if not Requirement(dependency).specifier.contains(version, prereleases=True):
            raise ImportError(f"imcnn_plugin does not support {name} {version}: pip install '{dependency}'")


def _broken(name: str, dependency: str, error: Exception) -> ImportError:
    if 'libGL' in str(error):
        todo = 'replace opencv-python by opencv-python-headless'
    else:
        todo = f"reinstall it with its dependencies: pip install --force-reinstall '{dependency}'"
    return ImportError(f'{name} is installed but cannot be imported ({error}): {todo}')
