"""A build holds, beside the package, what MIM looks for in ``imcnn_plugin/.mim``: configs, tools and their index."""

from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Command, setup
from setuptools.command.build import build

# They make an environment from the files of a checkout.
CHECKOUT_ONLY = {'quickstart.sh', 'run_tests.sh', 'venv.sh'}


class BuildMim(Command):
    """A step of ``build``. It writes to the build alone, so that nothing stays in the source tree."""

    editable_mode = False

    def initialize_options(self) -> None:
        self.build_lib = None

    def finalize_options(self) -> None:
        self.set_undefined_options('build_py', ('build_lib', 'build_lib'))

    def run(self) -> None:
        if self.editable_mode:
            return
        for target, source in self.get_output_mapping().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        files = [Path('model-index.yml'), *Path('configs').rglob('*'), *Path('tools').rglob('*')]
        return sorted(
            str(path)
            for path in files
            if path.is_file() and path.parent.name != '__pycache__' and path.name not in CHECKOUT_ONLY
        )

    def get_output_mapping(self) -> dict[str, str]:
        return {f'{self.build_lib}/imcnn_plugin/.mim/{source}': source for source in self.get_source_files()}

    def get_outputs(self) -> list[str]:
        return list(self.get_output_mapping())


class Build(build):
    sub_commands = [*build.sub_commands, ('build_mim', None)]


# A folder ``build`` in the source tree would put files into the next wheel that are no longer in the sources.
with TemporaryDirectory() as folder:
    setup(cmdclass=dict(build=Build, build_mim=BuildMim), options=dict(build=dict(build_base=folder)))
