"""The command ``imcnn``, which runs the scripts in ``tools/``, and what these scripts share."""

import argparse
import ast
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Callable, List, Sequence, Tuple

from mmengine.config import DictAction

from .errors import ConfigError, IMCNNError
from .signals import install_handlers, restore_handlers

__all__ = ['add_inferencer_arguments', 'add_runner_arguments', 'main', 'make_inferencer', 'run_tool', 'split_named']

_PACKAGE = Path(__file__).parent
# In a wheel, and in a checkout.
_TOOL_FOLDERS = (_PACKAGE / '.mim' / 'tools', _PACKAGE.parent / 'tools')
# What argparse calls the script that the command runs; runpy would show its path.
_program = None


def main() -> None:
    """Runs ``imcnn COMMAND ...``: the script of that name in ``tools/``, ``tools/data/`` or ``tools/analysis/``."""
    folder = next((folder for folder in _TOOL_FOLDERS if folder.is_dir()), _TOOL_FOLDERS[1])
    scripts = [path for group in ('', 'data', 'analysis') for path in Path(folder, group).glob('*.py')]
    commands = {path.stem.replace('_', '-'): path for path in scripts}
    name = sys.argv[1].replace('_', '-') if len(sys.argv) > 1 else '--help'
    if name not in commands:
        width = max(map(len, commands), default=0)
        lines = [f'  {command:<{width}}  {_summary(script)}' for command, script in sorted(commands.items())]
        text = '\n'.join(['usage: imcnn COMMAND ... (--help after a command explains it)', '', *lines])
        if name in ('-h', '--help'):
            print(text)
            return
        sys.exit(f"{text}\n\nerror: there is no command '{sys.argv[1]}'")
    del sys.argv[1]
    global _program
    _program = f'imcnn {name}'
    runpy.run_path(str(commands[name]), run_name='__main__')


def _summary(script: Path) -> str:
    """The first line of a script's docstring."""
    return ast.get_docstring(ast.parse(script.read_text(encoding='utf-8'))).split('\n')[0]


def run_tool(main: Callable[[], None], error_status: int = 1, interrupted: str = 'stopped') -> None:
    """Runs the main function of a script; an error of this package, Ctrl-C or SIGTERM ends it with one line.

    The exit status is ``error_status`` then, but 143 after SIGTERM; ``interrupted`` is the line after both signals.
    """
    sys.argv[0] = _program or sys.argv[0]
    # A shell starts what runs in the background of a script with SIGINT ignored.
    before = install_handlers(_interrupt, signal.SIGINT, signal.SIGTERM)
    try:
        main()
        return
    except IMCNNError as error:
        message = f'error: {error}'
    except KeyboardInterrupt as error:
        message = f'\n{interrupted}'
        if signal.SIGTERM in error.args:
            error_status = 128 + signal.SIGTERM
    except BrokenPipeError:
        # Whoever reads the output has seen enough, as "head" does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    finally:
        restore_handlers(before)
    if error_status == 1:
        sys.exit(message)
    print(message, file=sys.stderr)
    sys.exit(error_status)


def _interrupt(number: int, frame) -> None:
    raise KeyboardInterrupt(number)


def split_named(arguments: Sequence[str], form: str) -> List[Tuple[str, str]]:
    """Splits arguments such as ``NAME=CHECKPOINT`` at the first '='; ``form`` is that pattern, for the message.

    Raises:
        ConfigError: An argument has another form.
    """
    pairs = [argument.partition('=')[::2] for argument in arguments]
    for argument, pair in zip(arguments, pairs):
        if not all(pair):
            raise ConfigError(f"expected {form}, found '{argument}'")
    return pairs


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and testing share."""
    parser.add_argument('--data-root', help="folder of the dataset, instead of the config's")
    parser.add_argument('--work-dir', help='where logs, checkpoints and tables go; default work_dirs/<config>')
    parser.add_argument('--amp', action='store_true', help='run in half precision, on a GPU or a CPU')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override values of the config'
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    # MIM's launcher passes it; the environment says the same.
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)


def add_inferencer_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of :func:`make_inferencer`, and ``--aligned``."""
    parser.add_argument('--checkpoint', required=True, help='training checkpoint, or a published one')
    parser.add_argument('--aligned', action='store_true', help='the photos are aligned faces, like those of CelebA')
    parser.add_argument('--device', help='such as cpu or cuda:1; default a GPU if available')
    parser.add_argument('--amp', action='store_true', help='predict in bfloat16')
    parser.add_argument(
        '--detect-pixels',
        type=int,
        default=640 * 480,
        help='photos are shrunk to this many pixels for the detection of faces of 20 pixels and more (default '
        '%(default)s)',
    )


def make_inferencer(args: argparse.Namespace):
    """The :class:`~imcnn_plugin.apis.FaceAttributeInferencer` of :func:`add_inferencer_arguments`."""
    from .apis.inferencer import FaceAttributeInferencer

    return FaceAttributeInferencer(args.checkpoint, args.device, 'bf16' if args.amp else 'fp32', args.detect_pixels)
