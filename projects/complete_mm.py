"""Completes an environment of requirements-mm.txt with what no wheel brings; needs a C++ compiler and two minutes.

- mmcv's CPU operators, whose sources come with mmcv-lite: it is then a whole mmcv. No wheel of mmcv 2.x is for this
  torch, and mmcv itself compiles eighty files one by one; as one file they take a minute of CPU.
- xtcocotools, which mmpose needs: its wheel was built for NumPy 1.
- mmaction2: its wheel lacks the files of one model, DRN, which it imports.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path

import setuptools
from torch.utils.cpp_extension import BuildExtension, CppExtension

# Names that several of mmcv's files define.
CLASHES = ('PreCalc', 'add', 'bilinear_interpolate_gradient')


def one_source(csrc):
    """The text of a C++ file that includes all of mmcv's operators, with the names of each file kept apart."""
    lines = ['#include <torch/script.h>']
    lines += [f'#include "{path}"' for path in sorted(csrc.glob('pytorch/*.cpp'))]
    for path in sorted(csrc.glob('pytorch/cpu/*.cpp')):
        lines += [f'#define {name} {name}_{path.stem}' for name in CLASHES]
        lines += [f'#include "{path}"']
        lines += [f'#undef {name}' for name in (*CLASHES, 'min', 'max')]
    return '\n'.join(lines) + '\n'


def build_mmcv_operators():
    package = Path(util.find_spec('mmcv').origin).parent
    csrc = package / 'ops' / 'csrc'
    with tempfile.TemporaryDirectory() as work_dir:
        source = Path(work_dir, 'operators.cpp')
        source.write_text(one_source(csrc))
        extension = CppExtension(
            'mmcv._ext',
            [str(source)],
            include_dirs=[str(csrc / 'common')],
            extra_compile_args=['-O1', '-w', '-g0'],
        )
        setuptools.setup(
            name='mmcv-operators',
            ext_modules=[extension],
            cmdclass={'build_ext': BuildExtension.with_options(use_ninja=False)},
            script_args=['--quiet', 'build_ext', '--build-temp', work_dir, '--build-lib', str(package.parent)],
        )


def build_xtcocotools():
    options = ['--quiet', '--no-deps', '--no-build-isolation', '--force-reinstall', '--no-binary', 'xtcocotools']
    package = f'xtcocotools=={metadata.version("xtcocotools")}'
    subprocess.run([sys.executable, '-m', 'pip', 'install', *options, package], check=True)


def remove_mmaction_drn():
    localizers = Path(util.find_spec('mmaction').origin).parent / 'models' / 'localizers'
    if not (localizers / 'drn').exists():
        init = localizers / '__init__.py'
        init.write_text(re.sub(r"from \.drn.*\n|, 'DRN'", '', init.read_text()))


if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    build_mmcv_operators()
    build_xtcocotools()
    remove_mmaction_drn()
