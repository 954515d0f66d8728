from importlib import import_module

from packaging.specifiers import SpecifierSet
from packaging.version import Version

# The same ranges as in pyproject.toml, by the names under which the packages are imported.
SUPPORTED = dict(
    numpy='>=2.0,<3',
    torch='>=2.6,<3',
    torchvision='>=0.21,<1',
    mmengine='>=0.10.7,<1',
    mmcv='>=2.2,<2.4',
    mmpretrain='>=1.2,<2',
)


def check_versions() -> None:
    """Checks that what this package builds on is there, in a supported version.

    Raises:
        ImportError: Says which package is missing or of which version, and what to install.
    """
    for name, supported in SUPPORTED.items():
        install = f"pip install '{'mmcv-lite' if name == 'mmcv' else name}{supported}'"
        try:
            version = import_module(name).__version__
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ImportError(f'imcnn_plugin needs {name} {supported}, which is not installed: {install}') from None
        if not SpecifierSet(supported).contains(Version(version), prereleases=True):
            raise ImportError(f'imcnn_plugin needs {name} {supported}, found {version}: {install}')
